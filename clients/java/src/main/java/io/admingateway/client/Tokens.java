package io.admingateway.client;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** The source of a connection's token. Each call asks it. */
interface Tokens {
  /**
   * The token to send; null for none.
   *
   * @param refused the token that the gateway has just refused; null where none was
   */
  CompletableFuture<String> token(String refused);

  static Tokens fixed(String token) {
    return refused -> CompletableFuture.completedFuture(token);
  }

  /** Reads the file for each call, so that a new token counts at once. */
  static Tokens file(Path file) {
    return refused -> {
      try {
        return CompletableFuture.completedFuture(checked(Files.readString(file).strip()));
      } catch (IOException | IllegalArgumentException problem) {
        return CompletableFuture.failedFuture(problem);
      }
    };
  }

  /** A token as a header can carry it. The message of the error does not have the token. */
  static String checked(String token) {
    if (token == null || !token.matches("[\\x21-\\x7e]+")) {
      throw new IllegalArgumentException("the token is empty, or has characters other than ASCII");
    }
    return token;
  }

  /** Asks a provider, one question at a time, and keeps its answer until shortly before its end. */
  final class Provided implements Tokens {
    private static final Duration EARLY = Duration.ofSeconds(30);

    private final TokenProvider provider;
    private String held;
    private long ends;
    private CompletableFuture<String> asked;

    Provided(TokenProvider provider) {
      this.provider = provider;
    }

    @Override
    public synchronized CompletableFuture<String> token(String refused) {
      if (held != null && !held.equals(refused) && System.nanoTime() - ends < 0) {
        return CompletableFuture.completedFuture(held);
      }
      if (asked == null) {
        asked = new CompletableFuture<>();
        Thread thread = new Thread(this::ask, "admin-gateway-token");
        thread.setDaemon(true);
        thread.start();
      }
      return asked.copy(); // A caller that gives up does not end the question of the others.
    }

    private void ask() {
      String token = null;
      Throwable problem = null;
      Duration life = Duration.ofDays(3650);
      try {
        TokenProvider.Token got = provider.token();
        token = checked(got.value());
        if (got.expiresAt() != null) {
          life = Duration.between(java.time.Instant.now(), got.expiresAt());
          life = life.minus(life.dividedBy(10).compareTo(EARLY) < 0 ? life.dividedBy(10) : EARLY);
        }
      } catch (Exception | Error e) {
        problem = e;
      }
      CompletableFuture<String> answer;
      synchronized (this) {
        held = token;
        ends = System.nanoTime() + life.toNanos();
        answer = asked;
        asked = null;
      }
      if (problem == null) {
        answer.complete(token);
      } else {
        answer.completeExceptionally(problem);
      }
    }
  }
}
