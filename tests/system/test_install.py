"""What `cmake --install` puts somewhere is enough to build against and to run, from outside of the source tree, in C and in C++."""

import os
import pathlib
import shutil
import subprocess

import harness

PLUS = r"""
#include <steno.h>
#include <steno_subscriber.h>
#include <cstdio>
static int on_chunk(const char *text, const char *, void *) { std::fputs(text, stdout); return 0; }
static void on_success(const steno_event *event, void *) { std::printf(" (%s)\n", steno_event_name(event)); }
int main() {
    steno_config config = STENO_CONFIG_INIT;
    steno_cache_config cache = STENO_CACHE_CONFIG_INIT;
    steno_subscriber_config subscriber = STENO_SUBSCRIBER_CONFIG_INIT;
    steno_cost_ask ask = STENO_COST_ASK_INIT;
    steno_hooks hooks = STENO_SIZED(steno_hooks);
    if (subscriber.size != sizeof subscriber || ask.usage.code_sessions != STENO_UNKNOWN) return 2;
    config.app_name = "plus";
    cache.url = "memory:";
    hooks.success = on_success;
    steno_client *client;
    steno_error error;
    steno_response *response = nullptr;
    if (steno_client_new(&config, &client, &error) || steno_client_set_cache(client, &cache, &error) || steno_client_add_hooks(client, &hooks, &error)) return 3;
    steno_request *request = steno_request_new("gpt-4o-mini");
    steno_request_add_message(request, "user", "from C++");
    const bool failed = steno_complete_stream(client, request, on_chunk, nullptr, &response, &error);
    steno_response_free(response);
    steno_request_free(request);
    steno_client_free(client);
    return failed;
}
"""
LISTS = """
cmake_minimum_required(VERSION 3.20)
project(outside C)
find_package(steno REQUIRED)
add_executable(plain plain.c)
target_link_libraries(plain steno::steno)
"""


class Install(harness.SystemTest):
    def setUp(self):
        super().setUp()
        self.prefix, self.outside = self.dir / "prefix", self.dir / "outside"
        self.outside.mkdir()
        self.tool("/usr/bin/cmake", "--install", harness.BIN.parent, "--prefix", self.prefix)
        (self.pc,) = self.prefix.rglob("steno.pc")
        self.env.update(PKG_CONFIG_PATH=str(self.pc.parent), LD_LIBRARY_PATH=str(self.pc.parent.parent))
        shutil.copy(harness.SOURCE / "client" / "examples" / "plain.c", self.outside)

    def tool(self, *args):
        return self.run_program(*args, cwd=self.outside).stdout

    def flags(self, *args):
        return self.tool("/usr/bin/pkg-config", *args).split()

    def check(self, program, *says):
        self.start_provider()
        self.env["PATH"] = f"{self.prefix}/bin:{os.environ['PATH']}"
        daemon = self.start(self.prefix / "bin" / "stenod")
        harness.wait_for(self.ping, "the installed stenod to answer")
        output = self.tool(program)
        for text in says:
            self.assertIn(text, output)
        self.wait_for_rows(1, "SELECT * FROM calls WHERE status = 'success' AND cost_usd > 0")  # its steno-cost runs too
        self.assertEqual(self.stop(daemon), 0)

    def test_by_pkg_config(self):
        self.tool("/usr/bin/cc", "-Wall", "-Wextra", "-Werror", "plain.c", "-o", "plain", *self.flags("--cflags", "--libs", "steno"))
        self.check(self.outside / "plain", "You said: What is shorthand?")

    def test_by_the_static_library(self):
        beneath = self.tool("/usr/bin/pkg-config", "--print-requires-private", "steno").split()
        self.tool("/usr/bin/cc", "plain.c", "-o", "plain", self.pc.parent.parent / "libsteno.a", *self.flags("--cflags", "steno"), *self.flags("--libs", *beneath), "-lmsgpackc", "-lm", "-pthread")
        self.assertNotIn("libsteno", self.tool("/usr/bin/ldd", "plain"))
        self.check(self.outside / "plain", "You said: What is shorthand?")

    def test_by_find_package(self):
        (self.outside / "CMakeLists.txt").write_text(LISTS)
        self.tool("/usr/bin/cmake", "-S", ".", "-B", "made", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.tool("/usr/bin/cmake", "--build", "made")
        self.check(self.outside / "made" / "plain", "You said: What is shorthand?")

    def test_from_cpp(self):
        (self.outside / "plus.cpp").write_text(PLUS)
        for standard in ("c++11", "c++17", "c++20"):
            self.tool("/usr/bin/g++", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "plus.cpp", "-o", "plus", *self.flags("--cflags", "--libs", "steno", "steno-subscriber"))
        self.check(self.outside / "plus", "You said: from C++ Thank you for asking. (success)")

    def test_the_headers_need_nothing_of_ours_that_is_not_installed(self):
        headers = sorted(self.prefix.rglob("*.h"))
        self.assertIn("steno.h", [header.name for header in headers])
        for header in headers:
            for language, standard in (("c", "c99"), ("c", "c11"), ("c++", "c++11")):
                with self.subTest(f"{header.name} as {standard}"):
                    self.tool("/usr/bin/cc", "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-include", header, "/dev/null", *self.flags("--cflags", "steno"))

    def test_man_pages_and_completions_come_along(self):
        for name in ("steno.1", "stenod.1", "steno-cost.1", "steno-exec.1"):
            self.assertTrue(list(self.prefix.rglob(name)), name)
        self.assertTrue(list(self.prefix.rglob("bash-completion/completions/steno")))


if __name__ == "__main__":
    harness.main()
