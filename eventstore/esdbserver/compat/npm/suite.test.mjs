// What an application does with EventStoreDB's npm client, against both addresses of
// `daybook store serve`. Each test has streams of its own. What is compared is compared
// whole; what a test waits for has a limit.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import {
  AccessDeniedError,
  BACKWARDS,
  END,
  EventStoreDBClient,
  FORWARDS,
  MaxAppendSizeExceededError,
  NO_STREAM,
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionExistsError,
  START,
  STREAM_EXISTS,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
  binaryEvent,
  excludeSystemEvents,
  jsonEvent,
  persistentSubscriptionToStreamSettingsFromDefaults,
  streamNameFilter,
} from "@eventstore/db-client";

const clear = EventStoreDBClient.connectionString`esdb://localhost:2114?tls=false`;
const secure = EventStoreDBClient.connectionString`esdb://admin:changeit@localhost:2115?tlsCAFile=${process.env.CA}`;
after(async () => {
  await clear.dispose();
  await secure.dispose();
});

const limit = { timeout: 30_000 };
const name = (what) => `${what}-${randomUUID()}`;
const booked = (n, id = randomUUID()) => jsonEvent({ id, type: "booked", data: { n }, metadata: { by: "suite" } });
const numbers = (count) => Array.from({ length: count }, (_, n) => n);

async function collect(reading) {
  const found = [];
  for await (const resolved of reading) found.push(resolved);
  return found;
}

// next takes count events of a subscription.
async function next(subscription, count, each = () => {}) {
  const found = [];
  if (count === 0) return found;
  for await (const resolved of subscription) {
    await each(resolved);
    found.push(resolved);
    if (found.length === count) break;
  }
  return found;
}

const ns = (resolved) => resolved.map((r) => r.event.data.n);

for (const [where, client] of [["in clear", clear], ["with TLS", secure]]) {
  test(`append and read both ways, ${where}`, limit, async () => {
    const stream = name("read");
    const events = numbers(50).map((n) => booked(n));
    const first = await client.appendToStream(stream, events.slice(0, 20), { expectedRevision: NO_STREAM });
    assert.equal(first.success, true);
    assert.equal(first.nextExpectedRevision, 19n);
    const second = await client.appendToStream(stream, events.slice(20), { expectedRevision: 19n });
    assert.equal(second.nextExpectedRevision, 49n);
    assert.ok(second.position.commit > first.position.commit);

    const forwards = await collect(client.readStream(stream, { direction: FORWARDS, fromRevision: START }));
    assert.deepEqual(
      forwards.map(({ event }) => [event.id, event.revision, event.streamId, event.type, event.data, event.metadata, event.isJson]),
      events.map((e, n) => [e.id, BigInt(n), stream, "booked", e.data, e.metadata, true]),
    );
    assert.ok(Math.abs(Date.now() - forwards[0].event.created.getTime()) < 60_000);
    const backwards = await collect(client.readStream(stream, { direction: BACKWARDS, fromRevision: 10n, maxCount: 3 }));
    assert.deepEqual(ns(backwards), [10, 9, 8]);
    const all = await collect(client.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 5 }));
    assert.equal(all.length, 5);
    const after = await collect(client.readAll({ direction: FORWARDS, fromPosition: second.position, maxCount: 1 }));
    assert.equal(after[0].event.id, events[49].id);
  });

  test(`a conflict is told with both revisions, ${where}`, limit, async () => {
    const stream = name("conflict");
    await client.appendToStream(stream, [booked(0), booked(1)], { expectedRevision: NO_STREAM });
    for (const expectedRevision of [NO_STREAM, 0n, 7n]) {
      await assert.rejects(client.appendToStream(stream, booked(2), { expectedRevision }), (error) => {
        assert.ok(error instanceof WrongExpectedVersionError, `${error}`);
        assert.deepEqual([error.streamName, error.expectedVersion, error.actualVersion], [stream, expectedRevision, 1n]);
        return true;
      });
    }
    const absent = name("absent");
    await assert.rejects(client.appendToStream(absent, booked(0), { expectedRevision: STREAM_EXISTS }), (error) => {
      assert.ok(error instanceof WrongExpectedVersionError, `${error}`);
      assert.deepEqual([error.streamName, error.expectedVersion, error.actualVersion], [absent, STREAM_EXISTS, NO_STREAM]);
      return true;
    });
  });
}

test("an append sent again is the same append", limit, async () => {
  const stream = name("again");
  const event = booked(0);
  const once = await clear.appendToStream(stream, event, { expectedRevision: NO_STREAM });
  const twice = await clear.appendToStream(stream, event, { expectedRevision: NO_STREAM });
  assert.deepEqual(twice, once);
  assert.equal((await collect(clear.readStream(stream))).length, 1);
});

test("a large append comes in several messages", limit, async () => {
  const stream = name("large");
  const text = "x".repeat(300_000);
  const events = numbers(12).map((n) => jsonEvent({ type: "booked", data: { n, text } }));
  await clear.appendToStream(stream, events, { batchAppendSize: 500_000 });
  assert.deepEqual(ns(await collect(clear.readStream(stream))), numbers(12));
});

test("what is too large is refused with the limit", limit, async () => {
  const stream = name("too-large");
  const event = (size) => jsonEvent({ type: "booked", data: { n: 0, text: "x".repeat(size) } });
  for (const [events, maxAppendSize] of [
    [event(1.2 * 1024 * 1024), 1024 * 1024],
    [numbers(6).map(() => event(900_000)), 4 * 1024 * 1024],
  ]) {
    await assert.rejects(clear.appendToStream(stream, events), (error) => {
      assert.ok(error instanceof MaxAppendSizeExceededError, `${error}`);
      assert.equal(error.maxAppendSize, maxAppendSize);
      return true;
    });
  }
  await assert.rejects(collect(clear.readStream(stream)), StreamNotFoundError);
});

test("binary data and links come back as what they are", limit, async () => {
  const stream = name("binary");
  await clear.appendToStream(stream, [booked(0), binaryEvent({ type: "photo", data: Buffer.from([0, 255, 7]) })]);
  const photo = (await collect(clear.readStream(stream)))[1].event;
  assert.equal(photo.isJson, false);
  assert.deepEqual([...photo.data], [0, 255, 7]);

  const links = name("links");
  const link = (target) => binaryEvent({ type: "$>", data: Buffer.from(target) });
  await clear.appendToStream(links, [link(`0@${stream}`), link(`9@${stream}`)]);
  const [resolved, lost] = await collect(clear.readStream(links, { resolveLinkTos: true }));
  assert.deepEqual([resolved.event.data, resolved.link.streamId, resolved.link.revision], [{ n: 0 }, links, 0n]);
  assert.deepEqual([lost.event, lost.link.revision], [undefined, 1n]);
  const [plain] = await collect(clear.readStream(links));
  assert.deepEqual([plain.event.type, plain.link], ["$>", undefined]);
});

test("metadata of a stream", limit, async () => {
  const stream = name("metadata");
  await clear.appendToStream(stream, numbers(5).map((n) => booked(n)));
  assert.equal((await clear.getStreamMetadata(stream)).metadata, undefined);
  await clear.setStreamMetadata(stream, { maxCount: 2, colour: "green" });
  assert.deepEqual((await clear.getStreamMetadata(stream)).metadata, { maxCount: 2, colour: "green" });
  assert.deepEqual(ns(await collect(clear.readStream(stream))), [3, 4]);
});

test("delete and go on, and end for ever", limit, async () => {
  const stream = name("delete");
  await clear.appendToStream(stream, [booked(0), booked(1)]);
  await assert.rejects(clear.deleteStream(stream, { expectedRevision: 7n }), (error) => {
    assert.ok(error instanceof WrongExpectedVersionError, `${error}`);
    assert.deepEqual([error.streamName, error.expectedVersion, error.actualVersion], [stream, 7n, 1n]);
    return true;
  });
  const deleted = await clear.deleteStream(stream, { expectedRevision: 1n });
  assert.ok(deleted.position.commit > 0n);
  await assert.rejects(collect(clear.readStream(stream)), StreamNotFoundError);
  const again = await clear.appendToStream(stream, booked(2), { expectedRevision: NO_STREAM });
  assert.equal(again.nextExpectedRevision, 2n);
  assert.deepEqual(ns(await collect(clear.readStream(stream))), [2]);

  const ended = await clear.tombstoneStream(stream, { expectedRevision: 2n });
  assert.ok(ended.position.commit > deleted.position.commit);
  const told = (error) => {
    assert.ok(error instanceof StreamDeletedError, `${error}`);
    assert.equal(error.streamName, stream);
    return true;
  };
  await assert.rejects(collect(clear.readStream(stream)), told);
  await assert.rejects(clear.appendToStream(stream, booked(3)), told);
  await assert.rejects(clear.deleteStream(stream), told);
});

test("a subscription to a stream catches up and goes on live", limit, async () => {
  const stream = name("subscription");
  await clear.appendToStream(stream, numbers(10).map((n) => booked(n)));
  const subscription = clear.subscribeToStream(stream, { fromRevision: 3n });
  const caughtUp = new Promise((resolve) => subscription.once("caughtUp", resolve));
  const taken = next(subscription, 8);
  await caughtUp;
  await clear.appendToStream(stream, [booked(10), booked(11)]);
  assert.deepEqual(ns(await taken), [4, 5, 6, 7, 8, 9, 10, 11]);
  await subscription.unsubscribe();
});

test("a filtered subscription to all tells how far it is", limit, async () => {
  const prefix = name("filtered");
  const reached = [];
  const subscription = clear.subscribeToAll({
    fromPosition: START,
    filter: streamNameFilter({
      prefixes: [prefix],
      maxSearchWindow: 2,
      checkpointInterval: 1,
      checkpointReached: async (_, position) => void reached.push(position.commit),
    }),
  });
  const taken = next(subscription, 4);
  for (const n of numbers(4)) {
    await clear.appendToStream(`${prefix}-${n}`, booked(n));
    await clear.appendToStream(name("other"), booked(99));
  }
  const found = await taken;
  assert.deepEqual(ns(found), [0, 1, 2, 3]);
  assert.ok(reached.length > 0);
  assert.deepEqual(reached, [...reached].sort((a, b) => (a < b ? -1 : 1)));
  await subscription.unsubscribe();
});

test("all shows the engine's own records, and a filter keeps them out", limit, async () => {
  const stream = name("system");
  await clear.appendToStream(stream, booked(0));
  await clear.setStreamMetadata(stream, { maxCount: 7 });
  const [newest] = await collect(clear.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 }));
  assert.equal(newest.event.streamId, `$$${stream}`);
  const subscription = clear.subscribeToAll({ fromPosition: START, filter: excludeSystemEvents() });
  for (const { event } of await next(subscription, 20)) assert.ok(!event.type.startsWith("$"));
  await subscription.unsubscribe();
});

test("a persistent subscription hands out, takes back and parks", limit, async () => {
  const stream = name("persistent");
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START });
  await clear.createPersistentSubscriptionToStream(stream, "group", settings);
  await assert.rejects(
    clear.createPersistentSubscriptionToStream(stream, "group", settings),
    PersistentSubscriptionExistsError,
  );
  await clear.appendToStream(stream, numbers(6).map((n) => booked(n)));
  const subscription = clear.subscribeToPersistentSubscriptionToStream(stream, "group");
  let refused = false;
  const found = await next(subscription, 7, async (resolved) => {
    if (resolved.event.data.n === 2 && !refused) {
      refused = true;
      await subscription.nack("retry", "once more", resolved);
    } else {
      await subscription.ack(resolved);
    }
  });
  assert.deepEqual(ns(found).sort(), [0, 1, 2, 2, 3, 4, 5]);
  await subscription.unsubscribe();
  await clear.deletePersistentSubscriptionToStream(stream, "group");
  await assert.rejects(
    clear.deletePersistentSubscriptionToStream(stream, "group"),
    PersistentSubscriptionDoesNotExistError,
  );
});

test("with TLS nobody gets in with a wrong password", limit, async () => {
  const credentials = { username: "admin", password: "wrong" };
  const stream = name("stranger");
  await assert.rejects(secure.appendToStream(stream, booked(0), { credentials }), AccessDeniedError);
  await assert.rejects(collect(secure.readStream(stream, { credentials })), AccessDeniedError);
  await assert.rejects(collect(secure.readStream(stream)), StreamNotFoundError);
});
