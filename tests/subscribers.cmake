steno_unit_test(sized steno_client steno_subscriber)
steno_unit_test(subscriber steno_subscriber PkgConfig::ZMQ Threads::Threads)
steno_unit_test(subscriber_control steno_subscriber PkgConfig::ZMQ Threads::Threads)
target_sources(test_subscriber PRIVATE unit/fake_daemon.c)
target_sources(test_subscriber_control PRIVATE unit/fake_daemon.c)
# With a price table of the test's own in place of the client's.
steno_unit_test(subscriber_cost_row steno_schema m)
target_sources(test_subscriber_cost_row PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/cost_row.c ${PROJECT_SOURCE_DIR}/subscribers/cost_estimate.c ${PROJECT_SOURCE_DIR}/client/usage.c)

steno_system_test(test_subscribers)

# Budgets.
add_executable(steno-test-runaway system/runaway.c)
target_link_libraries(steno-test-runaway PRIVATE steno_shared steno_flags)
steno_system_test(test_budgets)
steno_system_test(test_recost)
steno_system_test(test_cost_options)
steno_unit_test(budget steno_schema)
steno_unit_test(cost_file steno_schema m)
target_sources(test_cost_file PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/cost_file.c)

# The frame of the handler programs.
steno_unit_test(subscriber_manual steno_subscriber PkgConfig::ZMQ Threads::Threads)
steno_unit_test(delivery steno_handler PkgConfig::JANSSON PkgConfig::ZMQ Threads::Threads)
target_sources(test_subscriber_manual PRIVATE unit/fake_daemon.c)
target_sources(test_delivery PRIVATE unit/fake_daemon.c)
add_executable(steno-test-delivery system/delivery_probe.c)
target_link_libraries(steno-test-delivery PRIVATE steno_handler steno_flags)
steno_system_test(test_delivery)
set_target_properties(steno-test-delivery PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
steno_system_test(test_jsonl)
steno_system_test(test_exec)
steno_unit_test(flight steno_handler PkgConfig::XXHASH)
target_sources(test_flight PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/flight.c ${PROJECT_SOURCE_DIR}/subscribers/jsonl_tail.c)


# steno-prometheus
steno_unit_test(metric_text steno_metrics m)
steno_unit_test(call_series steno_metrics m)
steno_system_test(test_prometheus)
steno_system_test(test_prometheus_scrape)

# HTTP exporters.
steno_unit_test(http_post steno_http Threads::Threads)
target_sources(test_http_post PRIVATE unit/script_server.c)
steno_unit_test(webhook_sign steno_schema PkgConfig::CRYPTO)
target_sources(test_webhook_sign PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/webhook_sign.c)
steno_system_test(test_webhook)
steno_system_test(test_mixpanel)
steno_unit_test(mixpanel steno_http PkgConfig::CRYPTO PkgConfig::JANSSON m)
target_sources(test_mixpanel PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/mixpanel_event.c ${PROJECT_SOURCE_DIR}/subscribers/mixpanel_reply.c)

# steno-otlp. What its system test decodes with comes from npm (tests/system/otlp), once a build folder.
add_test(NAME otlp_decoder COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/otlp/set_up.sh ${CMAKE_BINARY_DIR}/tests/otlp)
set_tests_properties(otlp_decoder PROPERTIES TIMEOUT 300 LABELS system FIXTURES_SETUP otlp_decoder)
steno_system_test(test_otlp)
set_property(TEST system_test_otlp PROPERTY FIXTURES_REQUIRED otlp_decoder)
set_property(TEST system_test_otlp APPEND PROPERTY ENVIRONMENT "STENO_OTLP_DECODER=${CMAKE_BINARY_DIR}/tests/otlp")
foreach(room span content sums send)
  steno_unit_test(otlp_${room} steno_otlp)
endforeach()
foreach(room span content sums)
  target_sources(test_otlp_${room} PRIVATE unit/otlp_check.c)
endforeach()
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
