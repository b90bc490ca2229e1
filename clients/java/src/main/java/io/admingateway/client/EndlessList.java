package io.admingateway.client;

/** A list whose pages lead nowhere. The items before are real, and are not the whole list. */
public final class EndlessList extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** The fault of the pages. */
  public enum Reason {
    /** The page names the cursor that it was asked for with. */
    SameCursor,
    /** The page names a cursor that was used earlier. */
    Cycle,
    /** The page has no items, and says that there are more. */
    EmptyPage,
    /** The page says that there are more, and not where. */
    NoCursor,
    /** The page says that there are no more, and where they are. */
    Contradiction,
    /** There are more pages than allowed. */
    PageCap
  }

  private final Reason reason;
  private final int pages;

  EndlessList(String type, Reason reason, int pages) {
    super(type + " does not end: " + reason + " (page " + pages + ")");
    this.reason = reason;
    this.pages = pages;
  }

  /** The fault. */
  public Reason reason() {
    return reason;
  }

  /** How many pages had come, with the one that is wrong. */
  public int pages() {
    return pages;
  }
}
