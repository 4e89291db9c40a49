# ringback-hypervisor: the embedded hypervisor and the embedded store in one program.
ringback_program(ringback-hypervisor
  SOURCES ringback_hypervisor.cpp
  LINKS ringback_embedded ringback_store_server CLI11::CLI11)
target_compile_definitions(ringback-hypervisor PRIVATE RINGBACK_LIBDIR="${CMAKE_INSTALL_LIBDIR}")
install(TARGETS ringback-hypervisor RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# What `exec` points its command at.
add_dependencies(ringback-hypervisor drop_in_xenevtchn drop_in_xengnttab)
