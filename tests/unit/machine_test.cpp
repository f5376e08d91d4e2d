#include "store/machine.hpp"

#include <gtest/gtest.h>
#include <sys/vfs.h>

#include <algorithm>

namespace dexlock {
namespace {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

TEST(Machine, TellsOneBootIdForAsLongAsItRuns) {
  const std::string id = machine_boot_id();
  EXPECT_EQ(id.size(), 32U);
  EXPECT_TRUE(is_hex(id));
  EXPECT_EQ(machine_boot_id(), id);
}

TEST(Machine, HasAnId) {
  const std::string id = machine_id();
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(machine_id(), id);
  EXPECT_TRUE(id.starts_with("host-") || (id.size() == 32 && is_hex(id)));
}

TEST(Machine, KnowsTheFileSystemsThatMachinesShare) {
  EXPECT_EQ(network_file_system(0x6969), "NFS");
  EXPECT_EQ(network_file_system(0xff534d42), "CIFS");
  EXPECT_EQ(network_file_system(0x65735546), "FUSE");
  EXPECT_EQ(network_file_system(0x01021997), "9p");
  EXPECT_EQ(network_file_system(0x00c36400), "Ceph");
  EXPECT_EQ(network_file_system(0x01161970), "GFS2");
  EXPECT_EQ(network_file_system(0x7461636f), "OCFS2");
  EXPECT_EQ(network_file_system(0x0bd00bd0), "Lustre");
  EXPECT_EQ(network_file_system(0x5346414f), "AFS");
}

TEST(Machine, KnowsLocalFileSystems) {
  for (const std::uint32_t magic : {0xef53U, 0x58465342U, 0x9123683eU, 0x01021994U, 0x794c7630U}) {
    EXPECT_EQ(network_file_system(magic), std::nullopt) << magic;
  }
}

TEST(Machine, JudgesAPathByItsNearestAncestor) {
  EXPECT_FALSE(on_network_file_system("/proc/self/no/such/path"));
  EXPECT_FALSE(on_network_file_system("/proc"));
  EXPECT_EQ(network_file_system_of("/tmp/no-such-directory/below"), network_file_system_of("/tmp"));
}

TEST(Machine, DrawsIdsThatDiffer) {
  EXPECT_EQ(random_hex(0), "");
  EXPECT_EQ(random_hex(12).size(), 24U);
  EXPECT_TRUE(is_hex(random_hex(64)));
  EXPECT_NE(random_hex(12), random_hex(12));
}

}  // namespace
}  // namespace dexlock
