"""Model folders of nnU-Net v2: read into bundles, and written from them. Nothing in such a folder is ever executed."""
