# The test provider. It is also what ./dev demo calls when there is no key for a real one.
add_executable(steno-test-provider 
  provider/main.c provider/fault.c provider/reply.c provider/route.c provider/openai.c provider/anthropic.c provider/gemini.c
  provider/azure.c provider/bedrock.c provider/bedrock_signature.c provider/ollama.c provider/cohere.c
  provider/responses.c)
target_include_directories(steno-test-provider PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(steno-test-provider PRIVATE PkgConfig::MICROHTTPD PkgConfig::JANSSON PkgConfig::CRYPTO PkgConfig::ZLIB Threads::Threads steno_flags)
steno_system_test(test_providers)
