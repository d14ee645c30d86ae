"""What Filmroll does, told without HTTP, SDKs or pixels: each module one subject."""
