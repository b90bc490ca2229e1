package io.admingateway.client;

import java.time.Instant;

/** Gives the caller's token, such as a JWT of a workload. Its answer is kept until it expires. */
@FunctionalInterface
public interface TokenProvider {
  /** Gets a token. It is called on a thread of its own, and again when the gateway refuses. */
  Token token() throws Exception;

  /**
   * A token, which prints without its value.
   *
   * @param value the token
   * @param expiresAt its end; null where it is not known
   */
  record Token(String value, Instant expiresAt) {
    /** A token whose end is not known: it is kept until the gateway refuses it. */
    public static Token of(String value) {
      return new Token(value, null);
    }

    @Override
    public String toString() {
      return "Token[expiresAt=" + expiresAt + "]";
    }
  }
}
