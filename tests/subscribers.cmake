steno_unit_test(subscriber steno_subscriber PkgConfig::ZMQ Threads::Threads)
steno_unit_test(subscriber_control steno_subscriber PkgConfig::ZMQ Threads::Threads)
target_sources(test_subscriber PRIVATE unit/fake_daemon.c)
target_sources(test_subscriber_control PRIVATE unit/fake_daemon.c)
# With a price table of the test's own in place of the client's.
steno_unit_test(subscriber_cost_row steno_schema m)
target_sources(test_subscriber_cost_row PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/cost_row.c ${PROJECT_SOURCE_DIR}/client/usage.c)

steno_system_test(test_subscribers)

# The frame of the handler programs.
steno_unit_test(subscriber_manual steno_subscriber PkgConfig::ZMQ Threads::Threads)
steno_unit_test(delivery steno_handler PkgConfig::JANSSON PkgConfig::ZMQ Threads::Threads)
target_sources(test_subscriber_manual PRIVATE unit/fake_daemon.c)
target_sources(test_delivery PRIVATE unit/fake_daemon.c)
add_executable(steno-test-delivery system/delivery_probe.c)
target_link_libraries(steno-test-delivery PRIVATE steno_handler steno_flags)
steno_system_test(test_delivery)
set_target_properties(steno-test-delivery PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# steno-plugin: one source file, built into an app and as a plug-in.
add_library(plugin_hooks MODULE system/plugin_hooks.c)
set_target_properties(plugin_hooks PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/examples)
target_include_directories(plugin_hooks PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/client)
target_link_libraries(plugin_hooks PRIVATE steno_flags)
foreach(hooks system/plugin_hooks.c ${PROJECT_SOURCE_DIR}/subscribers/examples/plugin.c)
  cmake_path(GET hooks STEM name)
  add_executable(steno-test-${name} system/plugin_app.c ${hooks})
  target_link_libraries(steno-test-${name} PRIVATE steno_shared steno_flags)
endforeach()
steno_unit_test(open_calls steno_subscriber)
steno_system_test(test_subscriber_plugin)

# The examples in other languages, what the README shows, and the golden vectors. Building them takes a while, the first time.
steno_system_test(test_subscriber_examples)
set_tests_properties(system_test_subscriber_examples PROPERTIES TIMEOUT 900)
