steno_unit_test(subscriber steno_subscriber PkgConfig::ZMQ Threads::Threads)
steno_unit_test(subscriber_control steno_subscriber PkgConfig::ZMQ Threads::Threads)
target_sources(test_subscriber PRIVATE unit/fake_daemon.c)
target_sources(test_subscriber_control PRIVATE unit/fake_daemon.c)
# With a price table of the test's own in place of the client's.
steno_unit_test(subscriber_cost_row steno_schema m)
target_sources(test_subscriber_cost_row PRIVATE ${PROJECT_SOURCE_DIR}/subscribers/cost_row.c ${PROJECT_SOURCE_DIR}/client/usage.c)

steno_system_test(test_subscribers)

# HTTP exporters.
steno_unit_test(http_post steno_subscriber PkgConfig::CURL PkgConfig::ZLIB Threads::Threads)
target_sources(test_http_post PRIVATE unit/script_server.c ${PROJECT_SOURCE_DIR}/subscribers/http_post.c ${PROJECT_SOURCE_DIR}/subscribers/stop_signal.c)
