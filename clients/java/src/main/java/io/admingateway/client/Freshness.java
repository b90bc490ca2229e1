package io.admingateway.client;

import io.grpc.Metadata;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How old the answer to a read is, by its headers, which {@link
 * io.grpc.stub.MetadataUtils#newCaptureMetadataInterceptor} gets for a stub.
 *
 * @param age its age in seconds
 * @param hit whether it was stored
 * @param forwarded why the upstream was asked, such as {@code miss}
 * @param ttl how many seconds it is fresh for; below zero, how long it has not been
 */
public record Freshness(
    OptionalLong age, boolean hit, Optional<String> forwarded, OptionalLong ttl) {
  private static final Pattern HIT = Pattern.compile(";\\s*(hit)\\s*(?:;|$)");
  private static final Pattern FORWARDED = Pattern.compile(";\\s*fwd=([\\w-]+)");
  private static final Pattern TTL = Pattern.compile(";\\s*ttl=(-?\\d{1,18})");
  private static final Pattern AGE = Pattern.compile("(\\d{1,18})");

  /** Reads the headers of an answer. */
  public static Freshness of(Metadata headers) {
    String status = headers.get(GatewayException.key("cache-status"));
    return new Freshness(
        number(AGE, headers.get(GatewayException.key("age"))),
        find(HIT, status).isPresent(),
        find(FORWARDED, status),
        number(TTL, status));
  }

  private static Optional<String> find(Pattern pattern, String text) {
    Matcher found = pattern.matcher(text == null ? "" : text);
    return found.find() ? Optional.of(found.group(1)) : Optional.empty();
  }

  private static OptionalLong number(Pattern pattern, String text) {
    return find(pattern, text).stream().mapToLong(Long::parseLong).findFirst();
  }
}
