def test_each_call_has_its_own_session_and_the_client_does_not_see_it(run):
    printed = run("examples/session_per_call.py").splitlines()
    assert printed == [
        "parameters: {'add_orders': ['names'], 'list_orders': []}",
        "a call that fails is rolled back: True",
        "orders: {'result': ['tea', 'bread']}",
    ]
