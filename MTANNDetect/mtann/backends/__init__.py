"""How a network is evaluated on the hardware there is."""
