# SPDX-License-Identifier: BSD-2-Clause
"""A client of an Erbium chip that is written from docs/host-link.md and docs/constants.md; it needs pyserial only.

    erbium show tiny --json > tiny.json
    erbium simulate ulx3s-85f tiny                  # prints a port
    python client.py /dev/pts/5 tiny.json           # in another terminal

It learns images that the hash makes, infers them, and prints what docs/constants.md has in its table of whole runs.
"""

import argparse
import json
import sys
import time
import zlib

import serial

MASK = 2**64 - 1
FORMAT = ("erbium-network", 1)
MAGIC, PROTOCOL = 0x4D425245, 2
READ, WRITE, SAMPLE, REFUSED, REPLY = 1, 2, 3, 0xFF, 0x80
REGISTERS, RESULTS, WEIGHTS = 0, 1, 16
CONTROL, STATUS, NEXT_TURN, COUNTERS = 11, 12, 15, 32
MAX_MESSAGE, OUT_OF_TURN = 9, 15
SOFT_RESET, IDLE = 1, 1
BYTES, EVENTS = 0, 2
ATTEMPTS, PATIENCE, SILENCE, BUSY = 8, 2.0, 0.1, 60.0
"""How often something is sent, and seconds: until a reply counts as lost, of a silent line, until a sample is done."""


class ClientError(Exception):
    """The chip cannot be used; the text says why and what to do."""


# docs/constants.md


def hash64(*words):
    """Return the hash of any number of integers, in this order."""
    h = 0x9E3779B97F4A7C15
    for word in words:
        h = ((h ^ (word & MASK)) + 0x9E3779B97F4A7C15) & MASK
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
        h = h ^ (h >> 31)
    return h


def sample_seed(seed, learn, n):
    """Return the seed of sample n."""
    return hash64(2, seed, learn, n) >> 32


def initial_weight(network, number, index):
    """Return initial weight number k * N + i of layer `number`, from 0."""
    layer = network["layers"][number]
    bound, width = layer["weight_bound"], layer["weight_width"]
    weight = (hash64(3, network["seed"], number, index) >> 32) % (2 * bound + 1) - bound
    weight = weight << (width - 8) if width >= 8 else weight >> (8 - width)
    low = -(1 << (width - 1)) + is_first_spike(network)
    return min(max(weight, low), (1 << (width - 1)) - 1)


def image(n, pixels):
    """Return image n of the whole runs."""
    hashes = (hash64(7, n, p) for p in range(pixels))
    return bytes(h >> 56 if h & 1 else 0 for h in hashes)


# docs/description.md


def is_first_spike(network):
    """Say which learner it is."""
    return "deadline" in network["error"]


def shapes(network):
    """Return rows, neurons and bytes of a weight for each layer."""
    inputs, found = network["n_inputs"], []
    for layer in network["layers"]:
        rows = inputs if is_first_spike(network) else inputs + 1
        found.append((rows, layer["n_neurons"], 2 if layer["weight_width"] > 8 else 1))
        inputs = layer["n_neurons"]
    return found


def counter_names(network):
    """Return the counters of the array in the order of their registers."""
    names = ["samples", "ticks", "input_spikes"]
    for number in range(1, len(network["layers"]) + 1):
        kinds = ("spikes", "synaptic_operations", "rows_learned", "weights_changed")
        names += [f"layer{number}_{kind}" for kind in kinds]
    return [*names, "updates" if is_first_spike(network) else "error_spikes"]


# docs/host-link.md


def stuffed(data):
    """Return bytes without a zero (COBS)."""
    out, pieces = b"", data.split(b"\0")
    for number, piece in enumerate(pieces):
        rest = piece
        while len(rest) >= 254:
            out, rest = out + b"\xff" + rest[:254], rest[254:]
            if not rest and number == len(pieces) - 1:
                return out
        out += bytes([len(rest) + 1]) + rest
    return out


def unstuffed(data):
    """Return what was stuffed, or None if that cannot be."""
    out, at = b"", 0
    while at < len(data):
        length = data[at]
        if length == 0 or at + length > len(data):
            return None
        out += data[at + 1 : at + length]
        at += length
        if length < 255 and at < len(data):
            out += b"\0"
    return out


class Chip:
    """The chip at the other end of a line: one request at a time, sent again if its reply is lost."""

    def __init__(self, port):
        self.port, self.tag, self.turn, self.rest = port, 0, 0, b""

    def connect(self, digest):
        """Bring the chip to a known state."""
        self.port.write(b"\0")
        self.wait_for_silence()
        magic, protocol, low, high = self.registers(0, 4)
        if magic != MAGIC:
            raise ClientError(
                f"what answers is no Erbium chip: its first register holds {magic:#010x}; name its port"
            )
        if protocol != PROTOCOL:
            raise ClientError(
                f"the chip speaks version {protocol} of the protocol and this client {PROTOCOL}"
            )
        found = f"{high << 32 | low:016x}"
        if found != digest:
            raise ClientError(
                f"the chip has digest {found} and the network {digest}; give the JSON of its network"
            )
        self.wait_until_idle()
        self.write(REGISTERS, CONTROL, SOFT_RESET.to_bytes(4, "little"))
        self.turn = 0
        (self.max_message,) = self.registers(MAX_MESSAGE, 1)

    def registers(self, first, count):
        """Return register words."""
        data = self.read(REGISTERS, first, count)
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    def read(self, window, first, count):
        """Return entries of a window."""
        return self.request(READ, bytes([window]) + u16(first) + u16(count))

    def write(self, window, first, entries):
        """Replace entries of a window."""
        self.request(WRITE, bytes([window]) + u16(first) + entries)

    def sample(self, pixels, seed, label=None):
        """Return answer, ticks and ticks to decision of a sample, which is learned if it has a label."""
        events = b"".join(u16(place) + bytes([value]) for place, value in enumerate(pixels) if value)
        as_events = len(events) < len(pixels) and 9 + len(events) <= self.max_message
        flags = (label is not None) | (EVENTS if as_events else BYTES) << 1
        head = bytes([self.turn, flags, label or 0]) + seed.to_bytes(4, "little")
        for _ in range(ATTEMPTS):
            tag = self.send(SAMPLE, head + (events if as_events else pixels))
            result = self.reply(SAMPLE, tag, PATIENCE) or self.lost_result()
            if result is not None:
                self.turn = (self.turn + 1) % 256
                return result[1], *(int.from_bytes(result[at : at + 2], "little") for at in (2, 4))
        raise ClientError(f"turn {self.turn} gets no result after {ATTEMPTS} attempts; check the line")

    def lost_result(self):
        """Return the result of the sample if the chip has taken it, as a reply has it; None to send it again."""
        self.wait_for_silence()
        until = time.monotonic() + BUSY
        while True:
            next_turn, done = self.registers(NEXT_TURN, 2)
            if next_turn == self.turn:
                return None
            if next_turn != (self.turn + 1) % 256:
                raise ClientError(
                    f"the chip expects turn {next_turn} after {self.turn}; it was reset, start again"
                )
            if done == next_turn:
                entry = self.read(RESULTS, self.turn % 16, 1)
                return bytes([self.turn, entry[0]]) + entry[2:6]
            if time.monotonic() > until:
                raise ClientError(
                    f"the chip is still busy with turn {self.turn} after {BUSY:.0f} s; reset it"
                )

    def wait_until_idle(self):
        """Wait until no sample is in the array."""
        until = time.monotonic() + BUSY
        while not self.registers(STATUS, 1)[0] & IDLE:
            if time.monotonic() > until:
                raise ClientError(f"the chip is still busy after {BUSY:.0f} s; reset it")

    def request(self, kind, content):
        """Return what the reply to a READ or WRITE brings."""
        for _ in range(ATTEMPTS):
            reply = self.reply(kind, self.send(kind, content), PATIENCE)
            if reply is not None:
                return reply
        raise ClientError(f"no answer after {ATTEMPTS} attempts; check port, baud rate and bitstream")

    def send(self, kind, content):
        """Send a message and return its tag."""
        self.tag = self.tag % 255 + 1
        message = bytes([kind, self.tag]) + content
        self.port.write(stuffed(message + zlib.crc32(message).to_bytes(4, "little")) + b"\0")
        return self.tag

    def reply(self, kind, tag, seconds):
        """Return what comes after type and tag of a reply, or None if it does not come in time or is damaged."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            frame = self.frame(left)
            data = unstuffed(frame) if frame else None
            if frame is None or data is None or len(data) < 6:
                return None
            message = data[:-4]
            if zlib.crc32(message) != int.from_bytes(data[-4:], "little"):
                return None
            if message[:2] == bytes([kind | REPLY, tag]):
                return message[2:]
            if message[0] == REFUSED and message[1] in (0, tag):
                if message[1] == tag and message[2] != OUT_OF_TURN:
                    raise ClientError(f"the chip refuses a request of type {kind} with error {message[2]}")
                return None
        return None

    def frame(self, seconds):
        """Return the next frame that is not empty, without its zero byte, or None."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame, zero, rest = self.rest.partition(b"\0")
            if zero:
                self.rest = rest
                if frame:
                    return frame
                continue
            self.port.timeout = max(0.0, min(0.2, until - time.monotonic()))
            self.rest += self.port.read(max(1, self.port.in_waiting))
        self.rest = b""
        return None

    def wait_for_silence(self):
        """Forget what comes of earlier conversations."""
        until, self.rest = time.monotonic() + PATIENCE, b""
        self.port.timeout = SILENCE
        while self.port.read(4096):
            if time.monotonic() > until:
                raise ClientError("the line does not fall silent; name the port of the chip")


def u16(value):
    """Return two bytes."""
    return value.to_bytes(2, "little")


def load_initial_weights(chip, network):
    """Write what the network starts with."""
    for number, (rows, neurons, width) in enumerate(shapes(network)):
        weights = [initial_weight(network, number, index) for index in range(rows * neurons)]
        data = b"".join(w.to_bytes(width, "little", signed=True) for w in weights)
        row_bytes = neurons * width
        most = (chip.max_message - 5) // row_bytes
        for row in range(0, rows, most):
            chip.write(WEIGHTS + number, row, data[row * row_bytes : (row + most) * row_bytes])


def weights_crc(chip, network):
    """Return the CRC-32 of all weights, two bytes each."""
    crc = 0
    for number, (rows, neurons, width) in enumerate(shapes(network)):
        for row in range(rows):
            data = chip.read(WEIGHTS + number, row, 1)
            for at in range(0, neurons * width, width):
                weight = int.from_bytes(data[at : at + width], "little", signed=True)
                crc = zlib.crc32(weight.to_bytes(2, "little", signed=True), crc)
    return crc


def run(chip, network, count):
    """Learn and infer, and print what came of it."""
    chip.connect(network["digest"])
    load_initial_weights(chip, network)
    classes = network["layers"][-1]["n_neurons"]
    images = [image(n, network["n_inputs"]) for n in range(count)]
    for n, pixels in enumerate(images):
        chip.sample(pixels, sample_seed(network["seed"], 1, n), n % classes)
    results = [chip.sample(pixels, sample_seed(network["seed"], 0, n)) for n, pixels in enumerate(images)]
    chip.wait_until_idle()
    names = counter_names(network)
    words = chip.registers(COUNTERS, 2 * len(names))
    print("answers", *(answer for answer, _, _ in results))
    print("ticks", *(ticks for _, ticks, _ in results))
    print(f"weights {weights_crc(chip, network):#010x}")
    print("counters", *(words[k] | words[k + 1] << 32 for k in range(0, len(words), 2)))


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Learn and infer on an Erbium chip.")
    parser.add_argument("port", help="serial port of the chip")
    parser.add_argument("network", help="JSON of its network, from 'erbium show NETWORK --json'")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="learn N images, then infer them")
    parser.add_argument("--baud", type=int, default=1_000_000)
    options = parser.parse_args()
    if not 1 <= options.count <= 1_000_000:
        parser.error(f"--count is {options.count}; it must be from 1 to 1,000,000")
    try:
        with open(options.network, encoding="utf-8") as file:
            network = json.load(file)
        if not isinstance(network, dict) or (network.get("format"), network.get("version")) != FORMAT:
            raise ClientError(f"{options.network} is no network description of version 1")
        with serial.serial_for_url(options.port, options.baud, write_timeout=10.0) as port:
            run(Chip(port), network, options.count)
    except (ClientError, OSError, ValueError) as error:
        sys.exit(f"client.py: {error}")
    except KeyboardInterrupt:
        sys.exit("client.py: stopped; the chip keeps what it has learned")


if __name__ == "__main__":
    main()
