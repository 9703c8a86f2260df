// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

void expectWrongUse(const std::vector<std::string>& arguments, const std::string& why) {
    expectComplaint(arguments, 2, why);
}

void expectFailure(const std::vector<std::string>& arguments, const std::string& why) {
    expectComplaint(arguments, 1, why);
}

TEST(CommandLine, WrongUseEndsWithTwo) {
    expectWrongUse({}, "subcommand");
    expectWrongUse({"frobnicate"}, "frobnicate");
    expectWrongUse({"inspect"}, "MODEL");
    expectWrongUse({"inspect", demo, "--frobnicate"}, "--frobnicate");
    expectWrongUse({"inspect", demo, "--device", "tpu"}, "cpu or cuda:N");
    expectWrongUse({"inspect", demo, "--device", "cuda:"}, "cpu or cuda:N");
    expectWrongUse({"inspect", demo, "--threads", "-1"}, "--threads");
    expectWrongUse({"inspect", demo, "--precision", "half"}, "half");
    expectWrongUse({"inspect", demo, "--precision", "fast"}, "float32");
    expectWrongUse({"generate", demo}, "--prompt");
    expectWrongUse({"generate", demo, "--prompt", "a", "--tokens", "1"}, "--prompt");
    expectWrongUse({"generate", demo, "--tokens", "1,x"}, "--tokens");
    expectWrongUse({"generate", demo, "--prompt", "a", "--temperature", "-1"}, "--temperature");
    for (const char* option : {"--temperature", "--top-p", "--min-p", "--repetition-penalty"}) {
        expectWrongUse({"generate", demo, "--prompt", "a", option, "nan"}, "found nan");
        expectWrongUse({"generate", demo, "--prompt", "a", option, "inf"}, "found inf");
    }
    for (const char* seed : {"-1", "18446744073709551616", "x"}) {
        expectWrongUse({"generate", demo, "--prompt", "a", "--seed", seed}, seed);
    }
    for (const char* ids : {"1,,2", "1,", ",1", "0x10", "-1", "1 2"}) {
        expectWrongUse({"generate", demo, "--tokens", ids}, "--tokens");
    }
    expectWrongUse({"generate", demo, "--prompt", "a", "--stop", ""}, "--stop");
    expectWrongUse({"bench", demo, "--shape", "mini-2b"}, "--shape");
    expectWrongUse({"bench", demo, "--layers", "2"}, "--layers");
}

TEST(CommandLine, DraftsThatCannotBeAreRefused) {
    expectWrongUse({"generate", demo, "--prompt", "a", "--speculate", "medusa"}, "medusa");
    for (const char* drafts : {"9", "-1", "1.5", "x"}) {
        expectWrongUse({"generate", demo, "--prompt", "a", "--drafts", drafts},
                       std::string("1 to 8 drafts, found ") + drafts);
    }
    expectWrongUse({"chat", demo, "--mtp-recycle", "fresh"}, "fresh");
    expectWrongUse({"chat", demo, "--plain-every", "-1"}, "--plain-every");
}

TEST(CommandLine, OptionsOfTheSpeculationBench) {
    for (const char* mode : {"mtp9", "off1", "mtp0", "auto12", "", "mtp1x", "medusa"}) {
        const std::string list = std::string("off,") + mode + ",lookup";
        expectWrongUse({"bench", demo, "--speculation", "--modes", list}, "--modes: \"");
    }
    expectWrongUse({"bench", demo, "--modes", "off"}, "--modes goes with --speculation");
    expectWrongUse({"bench", demo, "--speculation", "--depth", "3"}, "--depth does not go");
    expectWrongUse({"bench", demo, "--speculation", "--prompt-tokens", "3"}, "--prompt-tokens");
    expectWrongUse({"bench", "--shape", "mini-2b", "--speculation", "--prompts", "x"}, "--prompts");
    expectFailure({"bench", golden("ckpt/v2-lite"), "--speculation"}, "tokenizer");
    expectFailure({"bench", demo, "--speculation", "--prompts", "/nowhere/at/all"}, "/nowhere");
    expectFailure({"bench", demo, "--speculation", "--gen-tokens", "5000"}, "the context holds");
}

TEST(CommandLine, WorkThatFailsEndsWithOne) {
    expectFailure({"inspect", "/nowhere/at/all"}, "/nowhere/at/all");
    expectFailure({"inspect", demo, "--device", "cuda:0"}, "cuda:0");
    expectFailure({"generate", golden("ckpt/v3-fp8"), "--prompt", "a"}, "tokenizer");
    expectFailure({"generate", golden("ckpt/v2-lite"), "--tokens", "1", "--speculate", "mtp"},
                  "MTP");
    expectFailure({"generate", demo, "--tokens", "99999"}, "99999");
    expectFailure({"generate", demo, "--prompt-file", "/nowhere/at/all"}, "/nowhere/at/all");
    expectFailure({"verify", "/nowhere/at/all"}, "/nowhere/at/all");
    expectFailure({"verify", golden("tokenizer")}, "tokenizer");
    expectFailure({"bench", "--shape", "no-such-shape"}, "no-such-shape");
    expectFailure({"chat", golden("ckpt/v2-lite")}, "tokenizer");
}

TEST(CommandLine, HelpAndVersionOfEveryCommand) {
    EXPECT_THAT(runCli({"--version"}).out, HasSubstr("gatescope-cli"));
    const std::string help = runCli({"--help"}).out;
    for (const char* command :
         {"inspect", "chat", "generate", "dump", "tokenize", "verify", "bench", "devices"}) {
        EXPECT_THAT(help, HasSubstr(command));
        const Outcome run = runCli({command, "--help"});
        EXPECT_EQ(run.exitCode, 0);
        for (const char* option :
             {"--device", "--threads", "--precision", "--quiet", "--version"}) {
            EXPECT_THAT(run.out, HasSubstr(option)) << command;
        }
        const Outcome version = runCli({command, "--version"});
        EXPECT_EQ(version.exitCode, 0) << command;
        EXPECT_THAT(version.out, HasSubstr("gatescope-cli")) << command;
    }
}

TEST(CommandLine, DevicesSaysThatThereIsNoGpu) {
    const Outcome run = runCli({"devices"});
    EXPECT_EQ(run.exitCode, 0);
    EXPECT_THAT(run.out, HasSubstr("No GPU is offered"));
}

}  // namespace
}  // namespace gatescope::cli
