// Calls to one endpoint, over one connection: it is made for the first call, and anew for the first
// one after it has ended.
//
// Invariants:  each call ends exactly once, never from inside start(); none after the channel is
//              destroyed;
//              nothing is sent twice: what was under way on a connection that ends is unavailable;
//              a connection on which nothing came for the whole time of a call, or after a ping
//              while something is under way, is given up.
// Threads:     all calls and all handlers on the thread that runs the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "etcd_grpc/grpc_session.hpp"

namespace dexlock {

using GrpcTls = std::shared_ptr<boost::asio::ssl::context>;

class GrpcChannel {
 public:
  // `endpoint`: HOST:PORT. Without `tls` it is plain.
  GrpcChannel(boost::asio::io_context& loop, std::string endpoint, GrpcTls tls);
  GrpcChannel(const GrpcChannel&) = delete;
  GrpcChannel& operator=(const GrpcChannel&) = delete;
  ~GrpcChannel();

  class Connection;
  // Of a call that has been started; it may have ended.
  struct Started {
    std::weak_ptr<Connection> connection;
    GrpcSession::Stream stream = 0;
  };
  Started start(const GrpcCall& call, GrpcHandlers handlers);
  // One more message of a stream.
  static void send(const Started& started, const std::string& message);
  // No handler of it is called any more.
  static void cancel(const Started& started);

 private:
  boost::asio::io_context& loop_;
  std::string endpoint_;
  GrpcTls tls_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace dexlock
