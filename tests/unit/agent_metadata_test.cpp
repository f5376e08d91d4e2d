#include "failover/agent_metadata.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

using namespace std::chrono_literals;

std::string described(const std::string& parameters, const std::string& actions) {
  return R"(<?xml version="1.0"?><!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<!-- x -->
<resource-agent name="x" version="1.0"><longdesc lang="en">a &gt; b</longdesc>
<parameters>)" +
         parameters + "</parameters><actions>" + actions + "</actions></resource-agent>";
}

TEST(AgentMetadata, ParametersAndTimes) {
  const auto metadata = parse_agent_metadata(
      described(R"(<parameter name="ip" required="1"/><parameter name="nic" required="0"/>)",
                R"(<action name="start" timeout="20s"/><action name="stop" timeout="1500ms"/>
                   <action name="monitor" depth="10" timeout="99" interval="99"/>
                   <action name="monitor" timeout="30" interval="10s"/>
                   <action name="monitor" depth="0" timeout="31" interval="9" role="Promoted"/>)"));
  ASSERT_TRUE(metadata) << metadata.error().text;
  EXPECT_EQ(metadata->parameters, (std::set<std::string>{"ip", "nic"}));
  EXPECT_EQ(metadata->required, std::set<std::string>{"ip"});
  EXPECT_EQ(metadata->start, 20s);
  EXPECT_EQ(metadata->stop, 1500ms);
  EXPECT_EQ(metadata->monitor, 30s);
  EXPECT_EQ(metadata->interval, 10s);
  EXPECT_FALSE(metadata->validates);
}

TEST(AgentMetadata, TimesThatAreNoneAreAsGoodAsNothing) {
  const auto metadata = parse_agent_metadata(
      described("", R"(<action name="start" timeout="soon"/><action name="stop"/>
                       <action name="monitor" timeout="-1" interval="0"/>
                       <action name="validate-all"/>)"));
  ASSERT_TRUE(metadata);
  EXPECT_FALSE(metadata->start);
  EXPECT_FALSE(metadata->stop);
  EXPECT_FALSE(metadata->monitor);
  EXPECT_FALSE(metadata->interval);
  EXPECT_TRUE(metadata->validates);
}

TEST(AgentMetadata, OneLineSaysWhatIsWrong) {
  for (const char* text : {"", "no XML", "<a><b></a>", "<page/>", "<resource-agent/>",
                           "<resource-agent><actions></actions></resource-agent>", "<![CDATA["}) {
    const auto metadata = parse_agent_metadata(text);
    ASSERT_FALSE(metadata) << text;
    EXPECT_EQ(metadata.error().code, Errc::bad_config);
    EXPECT_TRUE(metadata.error().text.starts_with("its metadata ")) << metadata.error().text;
    EXPECT_EQ(metadata.error().text.find('\n'), std::string::npos);
  }
}

TEST(AgentMetadata, UnknownAndMissingParameters) {
  const auto metadata = parse_agent_metadata(described(R"(<parameter name="ip" required="1"/>)",
                                                       R"(<action name="start" timeout="20s"/>)"));
  ASSERT_TRUE(metadata);
  Resource agent{.kind = ResourceKind::agent, .name = "test/x", .values = {{"ip", "1"}}};
  EXPECT_TRUE(check_parameters(agent, *metadata));
  agent.values["pi"] = "2";
  EXPECT_EQ(check_parameters(agent, *metadata).error().text,
            R"(test/x: it has no parameter "pi"; there are "ip")");
  agent.values.clear();
  EXPECT_EQ(check_parameters(agent, *metadata).error().text, R"(test/x: it needs "ip")");
}

}  // namespace
}  // namespace dexlock
