package io.admingateway.client;

import io.admingateway.inventory.v1.Failure;
import io.admingateway.inventory.v1.Incomplete.Reason;
import java.util.List;

/**
 * An inventory that did not come whole. The pages before are real. Its cause is the error of the
 * last stream, if there was one.
 */
@SuppressWarnings("serial") // Its lists are serializable.
public final class IncompleteInventory extends RuntimeException {
  private final List<Reason> reasons;
  private final List<Failure> failures;
  private final long moreFailures;
  private final String resumeToken;
  private final boolean repeats;

  IncompleteInventory(
      List<Reason> reasons,
      List<Failure> failures,
      long moreFailures,
      String resumeToken,
      boolean repeats,
      Exception cause) {
    super(
        "incomplete: reasons %s, %d failed reads"
            .formatted(reasons, failures.size() + moreFailures),
        cause);
    this.reasons = List.copyOf(reasons);
    this.failures = List.copyOf(failures);
    this.moreFailures = moreFailures;
    this.resumeToken = resumeToken;
    this.repeats = repeats;
  }

  /** The reasons that the gateway gave; none where the stream was cut off. */
  public List<Reason> reasons() {
    return reasons;
  }

  /** The reads that failed in the last stream: 1,000 at most. */
  public List<Failure> failures() {
    return failures;
  }

  /** How many other reads failed. */
  public long moreFailures() {
    return moreFailures;
  }

  /** The same request with it brings the rest; empty: all, or nothing, as the reasons say. */
  public String resumeToken() {
    return resumeToken;
  }

  /** Whether something may come again, or has come twice. */
  public boolean repeats() {
    return repeats;
  }
}
