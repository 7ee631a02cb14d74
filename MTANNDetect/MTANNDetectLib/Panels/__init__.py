"""The parts of the panel: each ties widgets to a presenter and decides nothing itself."""
