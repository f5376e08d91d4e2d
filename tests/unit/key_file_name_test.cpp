#include <gtest/gtest.h>

#include <string>

#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

TEST(KeyFileName, OfAShortNameLeadsBackToIt) {
  for (const std::string name : {"a", "db/main", "A:Z@x.y_z+-0", "..."}) {
    const std::string key = key_file_name(name);
    EXPECT_FALSE(is_digest_key(key)) << key;
    EXPECT_EQ(name_of_key(key), name) << key;
  }
  EXPECT_EQ(key_file_name("db/Main"), "db%2f%4dain");
}

TEST(KeyFileName, OfALongNameIsKnownForOne) {
  EXPECT_TRUE(is_digest_key(key_file_name(std::string(200, 'a'))));
  EXPECT_FALSE(is_digest_key(key_file_name(std::string(150, 'a'))));
}

TEST(KeyFileName, ThatNoNameHasIsNone) {
  for (const char* key :
       {"", "%", "a%2", "a%zz", "%61", "%2F", "a b", "A", "%00", "%2fx", "-x", "a%2f%2e%2e"}) {
    EXPECT_EQ(name_of_key(key), std::nullopt) << key;
  }
}

}  // namespace
}  // namespace dexlock
