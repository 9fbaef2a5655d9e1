"""The site: settings and shared ground below, wiring above."""
