steno_unit_test(publisher steno_schema PkgConfig::ZMQ Threads::Threads)
target_sources(test_publisher PRIVATE ${PROJECT_SOURCE_DIR}/client/publisher.c ${PROJECT_SOURCE_DIR}/client/sender.c)
