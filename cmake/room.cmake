# A room is a folder with one idea (docs/architecture.md). Its headers are included as "room/header.hpp",
# and only by what links it: each room has an include folder of its own that holds a link to it and nothing
# else, so an include against the layering does not build.

add_library(ringback_options INTERFACE)
target_compile_options(ringback_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror
  # At -O3 g++ 12 sees overlap in every "text" + std::string (GCC bug 105651).
  $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
target_compile_definitions(ringback_options INTERFACE RINGBACK_VERSION="${PROJECT_VERSION}")
# Gotcha: without it Xen's headers fall back to interface version 0.
target_compile_definitions(ringback_options INTERFACE __XEN_INTERFACE_VERSION__=0x00040e00)

add_library(ringback_sanitizers INTERFACE)
if(RINGBACK_SANITIZE)
  target_compile_options(ringback_sanitizers INTERFACE
    -fsanitize=${RINGBACK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ringback_sanitizers INTERFACE -fsanitize=${RINGBACK_SANITIZE})
endif()

if(RINGBACK_FUZZ)
  target_compile_options(ringback_sanitizers INTERFACE -fsanitize=fuzzer-no-link)
endif()

# ringback_room(NAME [IN folder] [SOURCES file...] [LINKS target...]): the library ringback_NAME, in a folder of
# the top level or in one of its folders. Without sources it is header-only.
function(ringback_room name)
  cmake_parse_arguments(ROOM "" "IN" "SOURCES;LINKS" ${ARGN})
  set(include ${CMAKE_BINARY_DIR}/include/${name})
  file(REMOVE_RECURSE ${include})
  file(MAKE_DIRECTORY ${include}/${ROOM_IN})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${include}/${ROOM_IN}/${name} SYMBOLIC)
  if(ROOM_SOURCES)
    add_library(ringback_${name} STATIC ${ROOM_SOURCES})
    target_include_directories(ringback_${name} PUBLIC ${include})
    target_link_libraries(ringback_${name} PUBLIC ${ROOM_LINKS} PRIVATE ringback_options ringback_sanitizers)
  else()
    add_library(ringback_${name} INTERFACE)
    target_include_directories(ringback_${name} INTERFACE ${include})
    target_link_libraries(ringback_${name} INTERFACE ${ROOM_LINKS})
  endif()
endfunction()

# ringback_program(NAME SOURCES file... [LINKS target...])
function(ringback_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_link_libraries(${name} PRIVATE ${PROGRAM_LINKS} ringback_options ringback_sanitizers)
endfunction()

# ringback_tests(NAME SOURCES file... [LINKS target...]): one program; each doctest case becomes a test of ctest.
function(ringback_tests name)
  cmake_parse_arguments(TESTS "" "" "SOURCES;LINKS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  ringback_program(${name} SOURCES ${TESTS_SOURCES} LINKS ${TESTS_LINKS} ringback_doctest_main)
  doctest_discover_tests(${name} PROPERTIES TIMEOUT 300)
endfunction()
