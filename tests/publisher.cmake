steno_unit_test(publisher steno_client PkgConfig::ZMQ Threads::Threads)
