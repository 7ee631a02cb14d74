# Stands for Slicer's own package as far as this extension uses it, and checks what it is given.
#
# It writes what it was told to ${CMAKE_BINARY_DIR}/told.txt, one NAME=VALUE a line, for the test to compare.
set(Slicer_FOUND TRUE)
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/ExtensionCPack.cmake")
file(WRITE "${CMAKE_BINARY_DIR}/told.txt" "")

function(standin_tell name value)
  file(APPEND "${CMAKE_BINARY_DIR}/told.txt" "${name}=${value}\n")
endfunction()
