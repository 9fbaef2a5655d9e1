"""The image on other people's machines: `tempo.toml` says what is common, the other files are made from it."""
