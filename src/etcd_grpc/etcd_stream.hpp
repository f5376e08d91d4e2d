// The stream of changes of one endpoint: EtcdStream over gRPC.
//
// Threads: as EtcdStream; all else on the service's thread. No handler is called after its end.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>

#include "etcd/service.hpp"
#include "etcd_grpc/grpc_channel.hpp"

namespace dexlock {

// `fields`: of the header, as they are when it is opened. The channel must outlive what runs on the
// loop.
[[nodiscard]] std::unique_ptr<EtcdStream> open_etcd_stream(
    boost::asio::io_context& loop, GrpcChannel& channel,
    std::function<std::map<std::string, std::string>()> fields,
    std::function<void(EtcdNews)> handler);

}  // namespace dexlock
