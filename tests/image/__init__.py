"""The image, built and run by a real engine: `make image-test`, a quarter of an hour. Not part of `make test`."""
