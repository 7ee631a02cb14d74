"""Segmenting: whole lesions where an MTANN's likelihood reaches a threshold, labels and regions with U-Nets."""
