package io.admingateway.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * A connection to a gateway. The generated stubs take its {@link #channel}:
 *
 * <pre>{@code
 * try (Gateway gateway = Gateway.builder("https://gateway.example.org").token(token).connect()) {
 *   var projects = ProjectServiceGrpc.newBlockingStub(gateway.channel());
 * }
 * }</pre>
 *
 * The errors of their calls are {@link GatewayException}s.
 */
public final class Gateway implements AutoCloseable {
  /** The version of this package. */
  public static final String VERSION = version();

  /** The idempotency key of a write, instead of a random one: {@code stub.withOption(...)}. */
  public static final CallOptions.Key<String> IDEMPOTENCY_KEY =
      CallOptions.Key.create("idempotency-key");

  /** The value of {@link #IDEMPOTENCY_KEY} for a write without a key. */
  public static final String NO_KEY = "";

  private final ManagedChannel transport;
  private final Channel channel;

  private Gateway(ManagedChannel transport, Channel channel) {
    this.transport = transport;
    this.channel = channel;
  }

  /**
   * Begins a connection. It has no credential until one is set.
   *
   * @param address {@code https://host[:port]}; {@code http://} for loopback
   */
  public static Builder builder(String address) {
    return new Builder(address);
  }

  /** The channel for generated stubs. */
  public Channel channel() {
    return channel;
  }

  /** Ends the connection: calls that are under way have five seconds. */
  @Override
  public void close() {
    try {
      if (transport.shutdown().awaitTermination(5, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    transport.shutdownNow();
  }

  private static String version() {
    try (var text = Gateway.class.getResourceAsStream("version")) {
      return new String(text.readAllBytes(), StandardCharsets.US_ASCII).strip();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** What a connection is made of. It prints without secrets. */
  public static final class Builder {
    private final String address;
    private Tokens tokens = Tokens.fixed(null);
    private boolean hasToken;
    private boolean plaintext;
    private boolean keys = true;
    private byte[] ca;
    private Path certificate;
    private Path key;
    private String userAgent = "";
    private Duration deadline = Duration.ofSeconds(30);
    private int attempts = 5;

    private Builder(String address) {
      this.address = address;
    }

    /** A token that does not change. */
    public Builder token(String token) {
      try {
        return tokens("token", Tokens.fixed(Tokens.checked(token)));
      } catch (IllegalArgumentException e) {
        throw new InvalidConfig("token", e.getMessage(), null);
      }
    }

    /** A file with the token, which may be replaced at any time. */
    public Builder tokenFile(Path file) {
      check(Files.isReadable(file), "tokenFile", file + " cannot be read");
      return tokens("tokenFile", Tokens.file(file));
    }

    /** A provider of tokens. */
    public Builder tokenProvider(TokenProvider provider) {
      check(provider != null, "tokenProvider", "it is null");
      return tokens("tokenProvider", new Tokens.Provided(provider));
    }

    /** A client certificate with its chain, and its key in PKCS #8, both as PEM. */
    public Builder clientCertificate(Path certificate, Path key) {
      check(Files.isReadable(certificate), "certificate", certificate + " cannot be read");
      check(Files.isReadable(key), "key", key + " cannot be read");
      this.certificate = certificate;
      this.key = key;
      return this;
    }

    /** The file of the CAs to trust instead of the system's, as PEM. */
    public Builder ca(Path file) {
      try {
        return ca(Files.readString(file));
      } catch (IOException e) {
        throw new InvalidConfig("ca", file + " cannot be read", e);
      }
    }

    /** The CAs to trust instead of the system's, as PEM. */
    public Builder ca(String pem) {
      ca = pem.getBytes(StandardCharsets.UTF_8);
      try {
        var found = CertificateFactory.getInstance("X.509").generateCertificates(pem());
        check(!found.isEmpty(), "ca", "no certificate is in it");
      } catch (CertificateException e) {
        throw new InvalidConfig("ca", "not a certificate in PEM", e);
      }
      return this;
    }

    /** The time of a unary call that has no deadline of its own: 30 seconds unless set. */
    public Builder deadline(Duration deadline) {
      check(deadline.compareTo(Duration.ZERO) > 0, "deadline", "not a positive duration");
      this.deadline = deadline;
      return this;
    }

    /** The application's name and version. This package's follow it. */
    public Builder userAgent(String userAgent) {
      check(userAgent.matches("[\\x20-\\x7e]*"), "userAgent", "has characters other than ASCII");
      this.userAgent = userAgent;
      return this;
    }

    /** How often a call is made at most: 5 times unless set. */
    public Builder attempts(int attempts) {
      check(attempts > 0, "attempts", "not a positive number");
      this.attempts = attempts;
      return this;
    }

    /** Whether a write gets a random idempotency key unless it has one: so unless set. */
    public Builder idempotencyKeys(boolean keys) {
      this.keys = keys;
      return this;
    }

    /** Allows {@code http://} for other hosts than this one. Tokens can be read on the way. */
    public Builder plaintext() {
      plaintext = true;
      return this;
    }

    /** Makes the connection. Nothing is sent until the first call. */
    public Gateway connect() {
      URI uri = uri();
      boolean tls = uri.getScheme().equals("https");
      check(tls || ca == null, "ca", "there is no TLS with http://");
      check(tls || certificate == null, "certificate", "there is no TLS with http://");
      int port = uri.getPort() >= 0 ? uri.getPort() : tls ? 443 : 80;
      ManagedChannel transport;
      try {
        transport =
            Grpc.newChannelBuilderForAddress(
                    uri.getHost(), port, tls ? tls() : InsecureChannelCredentials.create())
                .userAgent((userAgent + " admin-gateway-java/" + VERSION).strip())
                .maxInboundMessageSize(64 << 20)
                .maxInboundMetadataSize(1 << 20)
                .keepAliveTime(60, TimeUnit.SECONDS)
                .disableRetry() // Those of Repeating know which calls may be repeated.
                .build();
      } catch (IOException | IllegalArgumentException e) {
        String argument = certificate == null ? "address" : "certificate";
        throw new InvalidConfig(argument, "it cannot be used", e);
      }
      var calls = new Repeating(tokens, deadline, attempts, keys, transport::resetConnectBackoff);
      return new Gateway(transport, ClientInterceptors.intercept(transport, calls));
    }

    private URI uri() {
      URI uri;
      try {
        uri = URI.create(address);
      } catch (IllegalArgumentException | NullPointerException e) {
        throw new InvalidConfig("address", "not a URL", null);
      }
      String scheme = String.valueOf(uri.getScheme());
      boolean bare = uri.getRawUserInfo() == null && uri.getRawQuery() == null;
      check(
          scheme.matches("https?") && uri.getHost() != null && bare,
          "address",
          "not https://host[:port]");
      check(String.valueOf(uri.getRawPath()).matches("/?"), "address", "it has a path");
      check(
          scheme.equals("https") || plaintext || isLoopback(uri.getHost()),
          "address",
          "http:// sends the token in clear text; allow it with plaintext()");
      return uri;
    }

    /** Looks no name up. */
    private static boolean isLoopback(String host) {
      try {
        return host.equals("localhost")
            || host.matches("[0-9.]+|\\[.*\\]") && InetAddress.getByName(host).isLoopbackAddress();
      } catch (IOException e) {
        return false;
      }
    }

    private ChannelCredentials tls() throws IOException {
      var tls = TlsChannelCredentials.newBuilder();
      if (ca != null) {
        tls.trustManager(pem());
      }
      if (certificate != null) {
        tls.keyManager(certificate.toFile(), key.toFile());
      }
      return tls.build();
    }

    private ByteArrayInputStream pem() {
      return new ByteArrayInputStream(ca);
    }

    private Builder tokens(String argument, Tokens tokens) {
      check(!hasToken, argument, "there is another token already");
      this.tokens = tokens;
      hasToken = true;
      return this;
    }

    private static void check(boolean holds, String argument, String problem) {
      if (!holds) {
        throw new InvalidConfig(argument, problem, null);
      }
    }
  }
}
