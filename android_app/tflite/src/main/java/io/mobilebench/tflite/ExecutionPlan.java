package io.mobilebench.tflite;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.tensorflow.lite.Interpreter;

/**
 * How many nodes the runtime really executes: those of the model, less those that a delegate
 * replaced, plus one for each partition it took.
 *
 * <p>The runtime counts them but has no public call for it; where the call that its own tests use
 * is gone, the number is unknown.
 */
final class ExecutionPlan {
    static final int UNKNOWN = -1;

    private ExecutionPlan() {}

    static int length(Interpreter interpreter) {
        try {
            Object wrapper = field(interpreter.getClass(), "wrapper").get(interpreter);
            for (Class<?> type = wrapper.getClass(); type != null; type = type.getSuperclass()) {
                for (Method method : type.getDeclaredMethods()) {
                    if (method.getName().equals("getExecutionPlanLength")
                            && method.getParameterTypes().length == 0) {
                        method.setAccessible(true);
                        return (Integer) method.invoke(wrapper);
                    }
                }
            }
        } catch (ReflectiveOperationException | RuntimeException | LinkageError gone) {
            return UNKNOWN;
        }
        return UNKNOWN;
    }

    private static Field field(Class<?> start, String name) throws NoSuchFieldException {
        for (Class<?> type = start; type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    field.setAccessible(true);
                    return field;
                }
            }
        }
        throw new NoSuchFieldException(name);
    }
}
