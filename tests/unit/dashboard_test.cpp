#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/dashboard_html.hpp"
#include "cli/dashboard_look.hpp"
#include "cli/dashboard_request.hpp"
#include "server/metrics_writer.hpp"

namespace dexlock {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Dashboard, IsAskedByAddressOrByANameOfItsOwn) {
  const std::vector<std::string> names{"Locks.example"};
  for (const char* host : {"127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80", "localhost",
                           "LOCALHOST:1", "localhost.", "192.0.2.7:99", "locks.example:443"}) {
    EXPECT_TRUE(is_own_host(host, names)) << host;
  }
  for (const char* host :
       {"", ":80", "evil.example", "localhost.evil.example", "localhost:", "[::1", "[::1]x",
        "[::1]:x", "[]", "127.0.0.1:8x", "a@localhost", "localhost/x", "127.0.0.1.evil.example",
        "2130706433.example", "localhost:1:2"}) {
    EXPECT_FALSE(is_own_host(host, names)) << host;
  }
}

TEST(Dashboard, TakesChangesFromItsOwnOriginOnly) {
  EXPECT_TRUE(is_same_origin({.host = "a:1", .origin = "http://a:1"}));
  EXPECT_TRUE(is_same_origin({.host = "A", .origin = "https://a", .fetch_site = "same-origin"}));
  EXPECT_FALSE(is_same_origin({.host = "a:1", .origin = ""}));
  EXPECT_FALSE(is_same_origin({.host = "", .origin = ""}));
  EXPECT_FALSE(is_same_origin({.host = "a:1", .origin = "null"}));
  EXPECT_FALSE(is_same_origin({.host = "a:1", .origin = "http://a:2"}));
  EXPECT_FALSE(is_same_origin({.host = "a:1", .origin = "http://b://a:1"}));
  EXPECT_FALSE(is_same_origin({.host = "a", .origin = "http://a", .fetch_site = "same-site"}));
}

TEST(Dashboard, ReadsAFormAndNothingElse) {
  const auto read = [](std::string type, std::string body) {
    return form_fields({.content_type = std::move(type), .body = std::move(body)});
  };
  const std::string form = "application/x-www-form-urlencoded";
  const auto fields = read(form + "; charset=utf-8", "a=b+c%26%3d&to=");
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->at("a"), "b c&=");
  EXPECT_EQ(fields->at("to"), "");
  EXPECT_TRUE(read(form, ""));
  for (const char* body : {"a", "a=%", "a=%4", "a=%4x", "a=1&a=2", "%zz=1"}) {
    EXPECT_FALSE(read(form, body)) << body;
  }
  EXPECT_FALSE(read("text/plain", "a=b"));
  EXPECT_FALSE(read("", "a=b"));
}

TEST(Dashboard, ASecretIsTheWholeSecret) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("ab", "abc"));
  EXPECT_FALSE(same_secret("", "abc"));
}

TEST(Dashboard, TellsTheHostOfAHold) {
  EXPECT_EQ(host_of_hold("u@vm pid 7 failover web on hostb"), "hostb");
  EXPECT_EQ(host_of_hold("u@vm pid 7 sh"), "vm");
  EXPECT_EQ(host_of_hold("nonsense"), "nonsense");
  EXPECT_EQ(host_of_hold(""), "");
}

TEST(Dashboard, HostileTextsStayText) {
  EXPECT_EQ(html_text("<a href='x'>&\"\x1b\n\xff"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;???");
  DashboardLook look;
  look.packages["<i>"] = {
      .name = "<i>",
      .control = {},
      .hosts = {{.name = "</td><script>", .alive = true, .report = {.error = "</table><b>"}}}};
  look.locks.locks.push_back({.name = "<u>", .closed = "<s>", .waiters = {{.who = "<em>"}}});
  look.servers.servers.push_back({.name = "<q>", .trouble = "<p>"});
  const std::string html = dashboard_html({.look = &look, .nonce = "n", .token = "t"});
  for (const char* tag : {"<i>", "</td><script>", "<b>", "<u>", "<s>", "<em>", "<q>", "<p>"}) {
    EXPECT_THAT(html, Not(HasSubstr(tag)));
  }
  EXPECT_THAT(html, HasSubstr("&lt;/table&gt;&lt;b&gt;"));
}

TEST(Dashboard, SaysWhenNothingWasSeen) {
  const std::string html = dashboard_html({.nonce = "n"});
  EXPECT_THAT(html, HasSubstr("Nothing was seen yet."));
  EXPECT_THAT(html, Not(HasSubstr("<form")));
  EXPECT_THAT(dashboard_json({}), HasSubstr("\"age_ms\":null"));
}

TEST(MetricsWriter, LabelsAreEscaped) {
  EXPECT_EQ(metric_labels({{"a", "x\"y\\z\nw"}, {"b", ""}}), R"({a="x\"y\\z\nw",b=""})");
}

}  // namespace
}  // namespace dexlock
