import { describe, expect, it } from "vitest";
import { Message } from "../../../gpu/src/onnx/protobuf.js";

const hex = (message: Message) => Buffer.from(message.encode()).toString("hex");

describe("Message", () => {
  // The examples of the encoding's own documentation, and the ends of the ranges.
  it.each<[string, Message, string]>([
    ["a small number", new Message().integer(1, 1), "0801"],
    ["a number of two bytes", new Message().integer(1, 150), "089601"],
    ["a negative number", new Message().integer(1, -2), "08feffffffffffffffff01"],
    ["the largest exact number", new Message().integer(1, Number.MAX_SAFE_INTEGER), "08ffffffffffffff0f"],
    ["a field above 15", new Message().integer(20, 7), "a00107"],
    ["a text", new Message().string(2, "testing"), "120774657374696e67"],
    ["an empty text", new Message().string(2, ""), "1200"],
    ["a float", new Message().float(3, 1.5), "1d0000c03f"],
    ["a message within", new Message().message(3, new Message().integer(1, 150)), "1a03089601"],
    ["fields in their order", new Message().integer(1, 1).integer(1, 2).string(2, "x"), "08010802120178"],
  ])("encodes %s", (_, message, expected) => {
    expect(hex(message)).toBe(expected);
  });
});
