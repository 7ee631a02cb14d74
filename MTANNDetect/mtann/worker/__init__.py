"""The worker: a process that keeps torch and models loaded, and runs one job after another for Slicer's panel."""
