"""The YAML that IT staff edit, validated: file, line and column in every error, secrets by reference only."""
