#include "cli/resource_place.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

void expect_on(const std::string& resource, const std::string& host, const std::string& path) {
  const auto place = parse_resource_place(resource);
  ASSERT_TRUE(place && *place) << resource;
  EXPECT_EQ((*place)->host, host) << resource;
  EXPECT_EQ((*place)->path, path) << resource;
}

void expect_here(const std::string& resource) {
  const auto place = parse_resource_place(resource);
  ASSERT_TRUE(place) << resource;
  EXPECT_FALSE(*place) << resource;
}

void expect_refused(const std::string& resource, const std::string& why) {
  const auto place = parse_resource_place(resource);
  ASSERT_FALSE(place) << resource;
  EXPECT_EQ(place.error().code, Errc::bad_argument);
  EXPECT_TRUE(place.error().text.contains(why)) << place.error().text;
}

TEST(ResourcePlaceTest, IsOnAHostAsScpNamesIt) {
  expect_on("web:/srv/www", "web", "/srv/www");
  expect_on("web:file", "web", "file");
  expect_on("ann@web:/srv", "ann@web", "/srv");
  expect_on("[::1]:/srv", "::1", "/srv");
  expect_on("ann@[fe80::1%eth0]:file", "ann@fe80::1%eth0", "file");
  expect_on("web:/a:b", "web", "/a:b");
}

TEST(ResourcePlaceTest, IsHereWithASlashBeforeTheColon) {
  for (const char* here : {"/srv/www", "file", "./a:b", "/a:b", "a/b:c", "-x:y", ":x", "", "[x]"}) {
    expect_here(here);
  }
}

TEST(ResourcePlaceTest, WhatIsNeitherIsRefused) {
  expect_refused("ssh://web/srv", "is a URL");
  expect_refused("scp://ann@web:22/srv", "is a URL");
  expect_refused("fe80::1:/srv", "without brackets");
  expect_refused("fe80:1::2:/srv", "without brackets");
  expect_refused("[::1]", "has no end of its address");
  expect_refused("[::1/srv", "has no end of its address");
  expect_refused("[]:/srv", "names no host");
  expect_refused("ann@:/srv", "names no host");
  expect_refused("web:", "names no path");
}

}  // namespace
}  // namespace dexlock
