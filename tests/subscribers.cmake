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
