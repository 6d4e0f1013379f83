"""Which nodes a delegate took."""

from mobilebench_agent.delegation import describe


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


CHAIN = [
    node(0, "CONV_2D", [0, 10], [1]),
    node(1, "CUSTOM", [1], [2]),
    node(2, "CONV_2D", [2, 11], [3]),
    node(3, "SOFTMAX", [3], [4]),
]


def test_without_a_delegate_every_node_is_left() -> None:
    assert describe(CHAIN) == {
        "nodes": 4,
        "delegated": 0,
        "partitions": 0,
        "left": {"CONV_2D": 2, "CUSTOM": 1, "SOFTMAX": 1},
    }


def test_a_partition_takes_what_lies_between_its_inputs_and_outputs() -> None:
    partition = node(4, "DELEGATE", [2, 11], [4])
    found = describe([*CHAIN, partition])
    assert (found["delegated"], found["partitions"]) == (2, 1)
    assert found["left"] == {"CONV_2D": 1, "CUSTOM": 1}


def test_two_partitions_around_a_node_that_stays() -> None:
    found = describe([*CHAIN, node(4, "DELEGATE", [0, 10], [1]), node(5, "DELEGATE", [2, 11], [4])])
    assert (found["delegated"], found["partitions"], found["left"]) == (3, 2, {"CUSTOM": 1})


def test_a_branch_inside_a_partition_is_counted_once() -> None:
    diamond = [
        node(0, "CONV_2D", [0], [1]),
        node(1, "RELU", [1], [2]),
        node(2, "ADD", [1, 2], [3]),
        node(3, "DELEGATE", [0], [3]),
    ]
    assert describe(diamond)["delegated"] == 3


def test_an_empty_model() -> None:
    assert describe([]) == {"nodes": 0, "delegated": 0, "partitions": 0, "left": {}}
