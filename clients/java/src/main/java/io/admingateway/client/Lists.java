package io.admingateway.client;

import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.admingateway.client.EndlessList.Reason;
import io.admingateway.options.v1.Options;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/** Lists of several pages, as a whole: they end with all items, or with an exception. */
public final class Lists {
  /** How many pages a list has at most, unless another number is given. */
  public static final int MAX_PAGES = 10_000;

  private Lists() {}

  /**
   * The items of all pages, from where the request begins. A page is asked for when it is needed.
   * The iterators throw the exceptions of the call, and {@link EndlessList}.
   *
   * @param type the class of an item
   * @param call the method of a blocking stub, such as {@code stub::listProjects}
   */
  public static <T, Q extends Message, R extends Message> Iterable<T> items(
      Class<T> type, Function<Q, R> call, Q request) {
    return items(type, call, request, MAX_PAGES);
  }

  /** The same with another bound. */
  public static <T, Q extends Message, R extends Message> Iterable<T> items(
      Class<T> type, Function<Q, R> call, Q request, int maxPages) {
    new Walk<>(type, request, maxPages); // A request that cannot be walked is refused at once.
    return () -> new Items<>(new Walk<>(type, request, maxPages), call);
  }

  /**
   * Gives the items of all pages to a consumer, which no two threads call at a time. The future
   * ends when it has all of them, or with an exception. No page is asked for once it is cancelled.
   *
   * @param call the method of a future stub
   */
  public static <T, Q extends Message, R extends Message> CompletableFuture<Void> itemsAsync(
      Class<T> type, Function<Q, ListenableFuture<R>> call, Q request, Consumer<T> consumer) {
    CompletableFuture<Void> end = new CompletableFuture<>();
    step(new Walk<>(type, request, MAX_PAGES), call, consumer, end);
    return end;
  }

  private static <T, Q extends Message, R extends Message> void step(
      Walk<T, Q> walk,
      Function<Q, ListenableFuture<R>> call,
      Consumer<T> consumer,
      CompletableFuture<Void> end) {
    ListenableFuture<R> answer = call.apply(walk.ask());
    FutureCallback<R> callback =
        new FutureCallback<>() {
          @Override
          public void onSuccess(R page) {
            try {
              walk.items(page).forEach(consumer);
              walk.follow(page);
              if (walk.over()) {
                end.complete(null);
              } else if (!end.isDone()) {
                step(walk, call, consumer, end);
              }
            } catch (RuntimeException | Error problem) {
              end.completeExceptionally(problem);
            }
          }

          @Override
          public void onFailure(Throwable problem) {
            end.completeExceptionally(problem);
          }
        };
    Futures.addCallback(answer, callback, MoreExecutors.directExecutor());
  }

  private static final class Items<T, Q extends Message, R extends Message> implements Iterator<T> {
    private final Walk<T, Q> walk;
    private final Function<Q, R> call;
    private Iterator<T> page = Collections.emptyIterator();
    private R answer;

    Items(Walk<T, Q> walk, Function<Q, R> call) {
      this.walk = walk;
      this.call = call;
    }

    @Override
    public boolean hasNext() {
      while (!page.hasNext()) {
        if (answer != null) { // What came is passed on before a fault is reported.
          walk.follow(answer);
          answer = null;
        }
        if (walk.over()) {
          return false;
        }
        answer = call.apply(walk.ask());
        page = walk.items(answer).iterator();
      }
      return true;
    }

    @Override
    public T next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return page.next();
    }
  }

  /** The history of a walk. It holds a digest of each cursor, whose length the server chooses. */
  private static final class Walk<T, Q extends Message> {
    private final Class<T> type;
    private final Q request;
    private final int maxPages;
    private final FieldDescriptor after;
    private final Set<HashCode> cursors = new HashSet<>();
    private String cursor; // null at the end
    private int pages;

    Walk(Class<T> type, Q request, int maxPages) {
      this.type = type;
      this.request = request;
      this.maxPages = Math.max(maxPages, 1);
      Descriptor of = request.getDescriptorForType();
      FieldDescriptor before = text(of, "before");
      FieldDescriptor page = text(of, "page");
      after = text(of, "after") == null ? page : text(of, "after");
      supported(after != null && (page == null || page == after), of, "has not one cursor");
      if (before != null && !request.getField(before).equals("")) {
        throw new InvalidConfig("before", "it is set, and a list goes forward", null);
      }
      cursor = (String) request.getField(after);
      isNew(cursor);
    }

    boolean over() {
      return cursor == null;
    }

    @SuppressWarnings("unchecked") // A builder builds messages of its own class.
    Q ask() {
      return cursor.isEmpty() ? request : (Q) request.toBuilder().setField(after, cursor).build();
    }

    List<T> items(Message page) {
      FieldDescriptor data = page.getDescriptorForType().findFieldByName("data");
      boolean list =
          data != null && data.isRepeated() && data.getType() == FieldDescriptor.Type.MESSAGE;
      supported(list, page.getDescriptorForType(), "has no repeated message field `data`");
      return ((List<?>) page.getField(data)).stream().<T>map(type::cast).toList();
    }

    /** Takes the cursor of the next page. */
    void follow(Message page) {
      pages++;
      Descriptor of = page.getDescriptorForType();
      FieldDescriptor data = of.findFieldByName("data");
      FieldDescriptor more = of.findFieldByName("has_more");
      supported(more != null && more.getType() == FieldDescriptor.Type.BOOL, of, "has no has_more");
      boolean byPage = after.getName().equals("page");
      FieldDescriptor next = text(of, byPage ? "next_page" : "next");
      FieldDescriptor last = byPage ? null : text(of, "last_id");
      FieldDescriptor id = byPage ? null : text(data.getMessageType(), "id");
      supported(next != null || last != null || id != null, of, "has no cursor");
      supported(next == null || last == null, of, "has both `next` and `last_id`");
      List<?> items = (List<?>) page.getField(data);
      String named = next != null ? (String) page.getField(next) : "";
      if (last != null) {
        named = (String) page.getField(last);
      }
      boolean orLastItem =
          last == null || last.getOptions().getExtension(Options.field).getOrLastItem();
      if (next == null && named.isEmpty() && orLastItem && id != null && !items.isEmpty()) {
        named = (String) ((Message) items.get(items.size() - 1)).getField(id);
      }
      Reason fault = null;
      if (!(boolean) page.getField(more)) {
        fault = next != null && !named.isEmpty() ? Reason.Contradiction : null;
        cursor = fault == null ? null : cursor;
      } else if (items.isEmpty()) {
        fault = Reason.EmptyPage;
      } else if (named.isEmpty()) {
        fault = Reason.NoCursor;
      } else if (named.equals(cursor)) {
        fault = Reason.SameCursor;
      } else if (!isNew(named)) {
        fault = Reason.Cycle;
      } else if (pages >= maxPages) {
        fault = Reason.PageCap;
      } else {
        cursor = named;
      }
      if (fault != null) {
        throw new EndlessList(of.getFullName(), fault, pages);
      }
    }

    private boolean isNew(String cursor) {
      return cursors.add(Hashing.sha256().hashString(cursor, StandardCharsets.UTF_8));
    }

    private static FieldDescriptor text(Descriptor of, String name) {
      FieldDescriptor field = of.findFieldByName(name);
      boolean text = field != null && field.getType() == FieldDescriptor.Type.STRING;
      return text && !field.isRepeated() ? field : null;
    }

    private static void supported(boolean holds, Descriptor of, String problem) {
      if (!holds) {
        throw new InvalidConfig(of.getFullName(), problem, null);
      }
    }
  }
}
