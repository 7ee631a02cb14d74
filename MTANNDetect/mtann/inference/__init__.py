"""Scanning a network over volumes."""
