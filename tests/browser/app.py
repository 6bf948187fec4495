"""An application in the browser that uses the library at /client/, with verbs that wait for conditions and never for time.

The tab remembers what it was told across reloads: `told` of [what, id, facts], in sessionStorage."""

from browser import Page

# One page of the gateway that has no connection of its own.
BLANK = "docs/"

START = """
  const [module, url, options, done] = arguments;
  import(module).then(({ connect }) => {
    const tell = (...facts) => sessionStorage.setItem('told', JSON.stringify([...JSON.parse(sessionStorage.getItem('told') ?? '[]'), facts]));
    window.errors = {};
    window.results = {};
    window.got = [];
    window.states = [];
    window.asError = ({ code, reason, message, pointer }) => ({ code, reason, message, pointer });
    window.emit = (topic, event, options) => {
      const settle = (into, value) => { into[options.id] = value; };
      const promise = window.gate.emit(topic, event, options);
      promise.then((result) => settle(window.results, result), (error) => settle(window.errors, window.asError(error)));
    };
    window.gate = connect(url ?? undefined, {
      ...options,
      onState: (state, { until }) => {
        window.states.push(state);
        window.waitMs = until - Date.now();
      },
      onAcknowledged: (emit, result) => tell('ack', emit.id, { ...result, takenOver: emit.takenOver }),
      onUndeliverable: (emit, error) => tell('undeliverable', emit.id, { ...window.asError(error), event: emit.event }),
    });
    done('');
  }).catch((error) => done(String(error.stack ?? error)));
"""


class App:
    def __init__(self, driver, url):
        self.driver = driver
        self.url = url.rstrip("/") + "/"
        self.wait = Page.wait.__get__(self)
        self.options = {}
        self.server = None

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def open(self, server=None, **options):
        """Loads a page and connects it: to the gateway that it came from, or to the server of that address."""
        self.server = server
        self.options = options
        self.driver.get(self.url + BLANK)
        return self.start()

    def start(self):
        fault = self.driver.execute_async_script(START, "/client/headgate.js", self.server, self.options)
        assert fault == "", fault
        return self

    def reload(self):
        self.driver.refresh()
        return self.start()

    def leave(self):
        """Away from the page, in the same tab."""
        self.driver.get("about:blank")

    # --- doing

    def emit(self, topic, event, id, **options):  # noqa: A002 - the protocol's own word
        self.script("emit(...arguments)", topic, event, {"id": id, **options})

    def emit_many(self, topic, numbers):
        """Events {n}, each under the id "<topic> <n>", all at once."""
        self.script("for (const n of arguments[1]) emit(arguments[0], { n }, { id: `${arguments[0]} ${n}` })", topic, list(numbers))

    def wait_stored(self):
        self.wait(lambda: self.script("return gate.outbox.list().every(({state}) => state !== 'storing')"), "all emits stored")

    # --- looking

    @property
    def state(self):
        return self.script("return gate.state")

    @property
    def size(self):
        return self.script("return gate.outbox.size")

    def outbox(self):
        return self.script("return gate.outbox.list()")

    def results(self):
        return self.script("return results")

    def errors(self):
        return self.script("return errors")

    def told(self, what=None):
        """[what, id, facts], the oldest first."""
        told = self.script("return JSON.parse(sessionStorage.getItem('told') ?? '[]')")
        return [entry for entry in told if what in (None, entry[0])]

    def wait_state(self, state):
        self.wait(lambda: self.state == state, lambda: f"state {state}; it is {self.state}")

    def wait_size(self, size):
        self.wait_ready()
        self.wait(lambda: self.size == size, lambda: f"{size} emits in the outbox: {self.outbox()[:5]}, told {self.told()[-5:]}")

    def wait_ready(self):
        self.driver.execute_async_script("gate.outbox.ready.then(arguments[0])")

    def wait_error(self, id):  # noqa: A002
        return self.wait(lambda: self.errors().get(id), lambda: f"an error for {id}: {self.results()}, {self.errors()}, {self.outbox()}")

    def wait_result(self, id):  # noqa: A002
        return self.wait(lambda: self.results().get(id), lambda: f"a result for {id}: {self.results()}, {self.errors()}, {self.outbox()}")

    def wait_told(self, what, id):  # noqa: A002
        return self.wait(lambda: next((facts for w, i, facts in self.told() if (w, i) == (what, id)), None),
                         lambda: f"{what} {id} among {self.told()}, {self.outbox()}")
