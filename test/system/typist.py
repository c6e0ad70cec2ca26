# Owns a terminal for tests: runs a command on a pty of its own, types when it sees a text, and says at the end what came.
# typist.py STEPS COMMAND...; STEPS is JSON: [{"see": TEXT, "type": TEXT | "size": [ROWS, COLUMNS] | "signal": N}, ...]
import fcntl, json, os, pty, select, struct, sys, termios, time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
looked, go = os.pipe()
child, master = pty.fork()
if child == 0:
    # The mode of before is what it is until the command changes it.
    os.close(go)
    os.read(looked, 1)
    os.close(looked)
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.execv(command[0], command)
before = termios.tcgetattr(master)
os.close(go)
os.close(looked)
seen, begin = b"", 0
end = time.monotonic() + 240
status = None
closed = False
while time.monotonic() < end:
    if steps and steps[0]["see"].encode() in seen[begin:]:
        step = steps.pop(0)
        begin = len(seen)
        if "type" in step:
            os.write(master, step["type"].encode())
        if "size" in step:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *step["size"], 0, 0))
        if "signal" in step:
            os.kill(child, step["signal"])
        continue
    if select.select([master], [], [], 0.05)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:
            # The kernel may tell of the end before it hands over what was written last; the second time nothing is left.
            if closed:
                break
            closed = True
        continue
    if status is None:
        done, found = os.waitpid(child, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(found)
            # A guardian may still have to give the terminal its mode back.
            end = min(end, time.monotonic() + 1.5)
while status is None and time.monotonic() < end:
    done, found = os.waitpid(child, os.WNOHANG)
    if done:
        status = os.waitstatus_to_exitcode(found)
    time.sleep(0.01)
same = termios.tcgetattr(master) == before
if status is None:
    os.kill(child, 9)
print(json.dumps({"seen": seen.decode("utf-8", "replace"), "status": status, "same": same, "left": len(steps)}))
