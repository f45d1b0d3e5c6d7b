// The AWS SDK for JavaScript v3: buffers, streams, multipart, copy, listing, deleting.
import assert from "node:assert";
import { Readable } from "node:stream";
import {
  S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, CopyObjectCommand,
  ListObjectsV2Command, DeleteObjectsCommand, DeleteObjectCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const [endpoint, Bucket, accessKeyId, secretAccessKey] = process.argv.slice(2);
const client = new S3Client({
  endpoint, region: "us-east-1", forcePathStyle: true,
  credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1,
});
const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
const get = async (Key, more = {}) =>
  Buffer.from(await (await client.send(new GetObjectCommand({ Bucket, Key, ...more })))
    .Body.transformToByteArray());

const small = bytes(5000);
await client.send(new PutObjectCommand({
  Bucket, Key: "js/small é+%", Body: small, Metadata: { colour: "blue" },
}));
assert.deepEqual(await get("js/small é+%"), small);
const head = await client.send(new HeadObjectCommand({ Bucket, Key: "js/small é+%" }));
assert.equal(head.ContentLength, 5000);
assert.equal(head.Metadata.colour, "blue");
assert.deepEqual(await get("js/small é+%", { Range: "bytes=7-99" }), small.subarray(7, 100));

const large = bytes(12_000_000);
const done = await new Upload({
  client, params: { Bucket, Key: "js/large", Body: Readable.from([large]) },
  partSize: 5 * 1024 * 1024,
}).done();
assert.match(done.ETag, /-3"$/);
assert.deepEqual(await get("js/large"), large);

await client.send(new CopyObjectCommand({
  Bucket, Key: "js/copy", CopySource: `${Bucket}/${encodeURIComponent("js/small é+%")}`,
}));
assert.deepEqual(await get("js/copy"), small);

await assert.rejects(
  client.send(new PutObjectCommand({ Bucket, Key: "js/copy", Body: "x", IfNoneMatch: "*" })),
  (error) => error.name === "PreconditionFailed",
);
await assert.rejects(get("js/none"), (error) => error.name === "NoSuchKey");
const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "js/" }));
assert.deepEqual(listed.Contents.map((one) => one.Key), ["js/copy", "js/large", "js/small é+%"]);
await client.send(new DeleteObjectCommand({ Bucket, Key: "js/copy" }));
const deleted = await client.send(new DeleteObjectsCommand({
  Bucket, Delete: { Objects: [{ Key: "js/large" }, { Key: "js/small é+%" }] },
}));
assert.equal(deleted.Deleted.length, 2);
console.log("done");
