package io.admingateway.client;

import io.admingateway.inventory.v1.Failure;
import io.admingateway.inventory.v1.Incomplete.Reason;
import java.util.List;

/**
 * An inventory that did not come whole. The pages before are real. Its cause is the error of the
 * last stream, if there was one.
 */
public final class IncompleteInventory extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient Missing missing;

  /**
   * What is missing.
   *
   * @param reasons those that the gateway gave; none where the stream was cut off
   * @param failures the reads that failed in the last stream: 1,000 at most
   * @param moreFailures how many other reads failed
   * @param resumeToken brings the rest, with the same request; empty: from the start, or not at all
   * @param repeats whether something may come again, or has come twice
   */
  public record Missing(
      List<Reason> reasons,
      List<Failure> failures,
      long moreFailures,
      String resumeToken,
      boolean repeats) {}

  IncompleteInventory(Missing missing, RuntimeException cause) {
    super(
        "incomplete: %s, %d failed reads".formatted(missing.reasons, missing.failures.size()),
        cause);
    this.missing = missing;
  }

  /** What is missing. */
  public Missing missing() {
    return missing;
  }
}
