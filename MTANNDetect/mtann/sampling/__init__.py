"""What an MTANN is taught on: lesions, teaching volumes, subvolumes."""
