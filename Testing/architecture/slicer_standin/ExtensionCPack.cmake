# Packaging itself is Slicer's business.
standin_tell(CPACK "included")
