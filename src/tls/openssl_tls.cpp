#include "tls/openssl_tls.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <limits>

#include "tls/tls_trouble.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kReadChunk = 8 * 1024;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

class OpensslSession final : public TlsSession {
 public:
  OpensslSession(std::unique_ptr<SSL, Free> ssl, BIO* in, BIO* out, TlsSide side)
      : ssl_(std::move(ssl)), in_(in), out_(out), side_(side) {}

  void received(std::string_view sealed) override {
    while (!sealed.empty()) {
      const int taken = BIO_write(in_, sealed.data(), at_once(sealed));
      if (taken <= 0) {
        lost_ = true;  // out of memory: what follows could not be understood
        return;
      }
      sealed.remove_prefix(static_cast<std::size_t>(taken));
    }
  }

  void take_to_send(std::string& out) override {
    const std::size_t before = out.size();
    out.resize(before + BIO_ctrl_pending(out_));
    std::size_t got = 0;
    BIO_read_ex(out_, out.data() + before, out.size() - before, &got);
    out.resize(before + got);
  }

  Result<bool> shake_hands() override {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) {
      return true;
    }
    if (SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ && !lost_) {
      return false;
    }
    const long verdict = SSL_get_verify_result(ssl_.get());
    return fail(Errc::not_permitted, verdict != X509_V_OK ? why_not_believed(side_, verdict)
                                                          : why_refused(side_, ERR_get_error()));
  }

  Result<bool> open(std::string& text) override {
    std::array<char, kReadChunk> chunk{};
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size()));
      if (got > 0) {
        text.append(chunk.data(), static_cast<std::size_t>(got));
        continue;
      }
      switch (SSL_get_error(ssl_.get(), got)) {
        case SSL_ERROR_WANT_READ:
          if (lost_) {
            return fail(Errc::io, "no memory for what it sent; free some");
          }
          return true;
        case SSL_ERROR_ZERO_RETURN:
          return false;
        default:
          return fail(Errc::not_permitted, why_refused(side_, ERR_get_error()));
      }
    }
  }

  Result<void> seal(std::string_view text) override {
    while (!text.empty()) {
      ERR_clear_error();
      const int taken = SSL_write(ssl_.get(), text.data(), at_once(text));
      if (taken <= 0) {
        return fail(Errc::io, why_refused(side_, ERR_get_error()));
      }
      text.remove_prefix(static_cast<std::size_t>(taken));
    }
    return {};
  }

  [[nodiscard]] std::string peer_name() const override {
    const std::unique_ptr<X509, Free> certificate(SSL_get1_peer_certificate(ssl_.get()));
    if (!certificate) {
      return {};
    }
    std::array<char, 256> name{};
    const int length =
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                  name.data(), static_cast<int>(name.size()));
    return length > 0 ? std::string(name.data(), static_cast<std::size_t>(length)) : std::string();
  }

 private:
  static int at_once(std::string_view bytes) {
    constexpr std::size_t kMost = std::numeric_limits<int>::max();
    return static_cast<int>(std::min(bytes.size(), kMost));
  }

  std::unique_ptr<SSL, Free> ssl_;
  BIO* in_;  // both are ssl_'s
  BIO* out_;
  TlsSide side_;
  bool lost_ = false;
};

class OpensslSessions final : public TlsSessions {
 public:
  OpensslSessions(std::unique_ptr<SSL_CTX, Free> context, TlsSide side)
      : context_(std::move(context)), side_(side) {}

  [[nodiscard]] std::unique_ptr<TlsSession> begin(const std::string& host) const override {
    std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    if (!ssl || in == nullptr || out == nullptr) {
      BIO_free(in);
      BIO_free(out);
      return nullptr;
    }
    BIO_set_mem_eof_return(in, -1);  // empty: more will come
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl.get(), in, out);
    if (side_ == TlsSide::server) {
      SSL_set_accept_state(ssl.get());
    } else if (!expect(ssl.get(), host)) {
      return nullptr;
    }
    return std::make_unique<OpensslSession>(std::move(ssl), in, out, side_);
  }

 private:
  static bool expect(SSL* ssl, const std::string& host) {
    SSL_set_connect_state(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1) {
      return true;
    }
    // SSL_set_tlsext_host_name, without the cast of its macro
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(host.c_str())) == 1 &&
           SSL_set1_host(ssl, host.c_str()) == 1;
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  TlsSide side_;
};

std::unexpected<Error> cannot_use(const char* what, const std::filesystem::path& file) {
  return fail(Errc::bad_config,
              fmt::format("{} {}: {}", what, file.native(), openssl_text(ERR_get_error())));
}

// Nobody is there to be asked.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

Result<TlsContext> make_openssl_tls(TlsSide side, const TlsFiles& files) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, Free> context(
      SSL_CTX_new(side == TlsSide::client ? TLS_client_method() : TLS_server_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1) {
    return fail(Errc::bad_config, "this system's OpenSSL has no TLS 1.3");
  }
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_default_passwd_cb(raw, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1) {
    return cannot_use("certificate", files.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return cannot_use("key", files.key);
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    return fail(Errc::bad_config, fmt::format("key {}: does not belong to {}", files.key.native(),
                                              files.certificate.native()));
  }
  if (SSL_CTX_load_verify_locations(raw, files.authority.c_str(), nullptr) != 1) {
    return cannot_use("authority", files.authority);
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Tickets would let a client whose certificate has been replaced come back for days.
  SSL_CTX_set_num_tickets(raw, 0);
  return std::make_shared<OpensslSessions>(std::move(context), side);
}

}  // namespace dexlock
