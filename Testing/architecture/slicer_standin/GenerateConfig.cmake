# What Slicer makes of the extension's description; without any of these the index refuses it.
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${name}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${name} is not set.")
  endif()
  standin_tell(EXTENSION_${name} "${EXTENSION_${name}}")
endforeach()
standin_tell(EXTENSION_NAME "${CMAKE_PROJECT_NAME}")
