"""Pages on telling people: channels, rules and deliveries for staff, and a tab of each script for everyone."""
