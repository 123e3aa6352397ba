"""What changes the phases of any system that it fits, one file each."""
