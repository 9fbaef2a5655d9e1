"""The ground floor: small pieces everything else stands on."""
